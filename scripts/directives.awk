# Reads src/config/config.def and calls row() for each directive, then finish(); the program
# that goes with this one defines both. For row() the facts of the directive are in:
#
#   name      its name
#   scope     GLOBAL, UPSTREAM, DEFAULTS or PATH
#   type      the label of its type
#   initial   the default as written in a file; "none" or "required"
#   range     "1 to 16", or ""
#   unit      what is counted, or ""
#   words     the words of a choice, "allow, deny", or ""
#   form      what the text must be, or ""
#   meaning   its text
#
# Anything that is not a row ends it with an error: no directive can go missing.

{ text = text $0 "\n" }

END {
    gsub(/\n#[^\n]*/, "", text)
    while (match(text, /\/\*([^*]|\*+[^*\/])*\*+\//))
        text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
    skip()
    while (text != "") {
        scope = word()
        token("(")
        if (scope == "TYPE")
            read_type()
        else if (scope ~ /^(GLOBAL|UPSTREAM|DEFAULTS|PATH)$/)
            read_row()
        else
            fail("no row")
        token(")")
        skip()
    }
    if (!rows)
        fail("no rows")
    finish()
}

function read_type(    type_name) {
    type_name = word(); token(",")
    word(); token(",")
    labels[type_name] = string()
}

function read_row() {
    type = word(); token(",")
    if (!(type in labels))
        fail("unknown type " type)
    type = labels[type]
    name = word(); token(",")
    initial = literal_or_word(); token(",")
    bounds(); token(",")
    meaning = string()
    row()
    rows++
}

function bounds(    kind) {
    range = unit = words = form = ""
    kind = word()
    if (kind == "ANY")
        return
    token("(")
    if (kind == "RANGE_OF") {
        unit = string(); token(",")
        kind = "RANGE"
    }
    if (kind == "RANGE") {
        range = string(); token(",")
        range = range " to " string()
    } else if (kind == "MUST_BE") {
        word(); token(",")
        form = string()
    } else if (kind == "ONE_OF" || kind == "KNOWN") {
        word()
        while (next_is(",")) {
            token(",")
            word(); token("(")
            words = words (words == "" ? "" : ", ") string(); token(",")
            word(); token(")")
        }
    } else
        fail("unknown bounds " kind)
    token(")")
}

# Where a directive may be set, in words.
function scope_words() {
    return scope == "GLOBAL" ? "global" : scope == "UPSTREAM" ? "upstream" \
        : scope == "DEFAULTS" ? "upstream, defaults" : "upstream, defaults, path"
}

# What it takes, in words: "number of connections", "one of allow, deny".
function type_words() {
    return type (unit != "" ? (type ~ /^list/ ? ", each a " : type == "number" ? " of " : ", of ") unit : "") \
        (form != "" ? (type ~ /^list/ ? ", each " : ": ") form : "") (words != "" ? " " words : "")
}

function fail(why) {
    print "config.def: " why " near: " substr(text, 1, 60) >"/dev/stderr"
    exit 1
}

function skip() { sub(/^[ \t\r\n]+/, "", text) }

function next_is(c) {
    skip()
    return substr(text, 1, 1) == c
}

function token(c) {
    if (!next_is(c))
        fail("no " c)
    text = substr(text, 2)
}

function word(    found) {
    skip()
    if (!match(text, /^[A-Za-z_][A-Za-z0-9_]*/))
        fail("no word")
    found = substr(text, 1, RLENGTH)
    text = substr(text, RLENGTH + 1)
    return found
}

function literal_or_word() {
    return next_is("\"") ? string() : tolower(word())
}

# A C string, or several in a row.
function string(    found, c, any) {
    while (next_is("\"")) {
        any = 1
        text = substr(text, 2)
        while ((c = substr(text, 1, 1)) != "\"") {
            if (c == "" || c == "\n")
                fail("an open string")
            if (c == "\\") {
                text = substr(text, 2)
                c = substr(text, 1, 1)
            }
            found = found c
            text = substr(text, 2)
        }
        text = substr(text, 2)
    }
    if (!any)
        fail("no string")
    return found
}
