# Reads src/config/config.def, over rows.awk, and calls directive() for each directive, then
# finish(). The awk program that uses these two files defines both. directive() can use:
#
#   name      its name
#   scope     GLOBAL, UPSTREAM, DEFAULTS, PATH or BOT
#   type      the label of its type
#   initial   the default as written in a file; "none" or "required"
#   range     "1 to 16", or ""
#   unit      what is counted, or ""
#   words     the words of a choice, "allow, deny", or ""
#   form      what the text must be, or ""
#   meaning   its text

function row(macro, n, arg) {
    if (macro == "TYPE") {
        labels[arg[1]] = arg[3]
        return
    }
    if (macro !~ /^(GLOBAL|UPSTREAM|DEFAULTS|PATH|BOT)$/ || n != 5 || !(arg[1] in labels))
        fail("not a directive: " macro " " arg[2])
    scope = macro
    type = labels[arg[1]]
    name = arg[2]
    initial = arg[3] ~ /^(NONE|REQUIRED)$/ ? tolower(arg[3]) : arg[3]
    read_bounds(arg[4])
    meaning = arg[5]
    directive()
}

# Evaluates RANGE("1", "16") and the other bounds.
function read_bounds(bounds,    kind, strings, n, i) {
    range = unit = words = form = ""
    kind = bounds
    sub(/[^A-Z_].*/, "", kind)
    n = strings_of(bounds, strings)
    if (kind == "RANGE" && n == 2)
        range = strings[1] " to " strings[2]
    else if (kind == "RANGE_OF" && n == 3) {
        unit = strings[1]
        range = strings[2] " to " strings[3]
    } else if (kind == "MUST_BE" && n == 1)
        form = strings[1]
    else if ((kind == "ONE_OF" || kind == "KNOWN") && n > 1)
        for (i = 1; i <= n; i++)
            words = words (i > 1 ? ", " : "") strings[i]
    else if (bounds != "ANY")
        fail("bounds of " name ": " bounds)
}

# Fills `found` with the string literals in a piece of C.
function strings_of(piece, found,    rest, n) {
    rest = text
    text = piece
    split("", found)
    while (index(text, "\"")) {
        text = substr(text, index(text, "\"") + 1)
        found[++n] = string()
    }
    text = rest
    return n + 0
}

# Where a directive may be set, in words.
function scope_words() {
    return scope == "GLOBAL" ? "global" : scope == "BOT" ? "bot" : scope == "UPSTREAM" ? "upstream" \
        : scope == "DEFAULTS" ? "upstream, defaults" : "upstream, defaults, path"
}

# The type in words: "number of connections", "one of allow, deny".
function type_words() {
    return type (unit != "" ? (type ~ /^list/ ? ", each a " : type == "number" ? " of " : ", of ") unit : "") \
        (form != "" ? (type ~ /^list/ ? ", each " : ": ") form : "") (words != "" ? " " words : "")
}
