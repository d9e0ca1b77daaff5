# Reads the rows of src/config/config.def and calls row(scope, type, name,
# value, meaning) for each, with `path` set where it may stand in path blocks too; the
# file that goes with it defines row(). A row that cannot be read ends it with an error:
# no directive can go missing.

{ text = text $0 "\n" }

END {
    gsub(/\n#[^\n]*/, "", text)
    while (match(text, /\/\*([^*]|\*+[^*\/])*\*+\//))
        text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
    while (match(text, /^[ \t\r\n]*(GLOBAL|UPSTREAM|PATH)[ \t\n]*\(/)) {
        scope = text ~ /^[ \t\r\n]*GLOBAL/ ? "global" : "upstream"
        path = text ~ /^[ \t\r\n]*PATH/
        text = substr(text, RLENGTH + 1)
        type = word(); comma()
        name = word(); comma()
        value = string(); comma()
        meaning = string(); skip()
        if (substr(text, 1, 1) != ")")
            fail("no closing parenthesis")
        text = substr(text, 2)
        row(scope, type, name, value, meaning)
        rows++
    }
    skip()
    if (text != "")
        fail("not a row")
    if (!rows)
        fail("no rows")
    finish()
}

function fail(why) {
    print "config.def: " why " near: " substr(text, 1, 60) >"/dev/stderr"
    broken = 1
    exit 1
}

function skip() { sub(/^[ \t\r\n]+/, "", text) }

function comma() {
    skip()
    if (substr(text, 1, 1) != ",")
        fail("no comma")
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

# A C string, or several in a row; NULL is "none".
function string(    found, c, any) {
    skip()
    if (text ~ /^NULL/) {
        text = substr(text, 5)
        return "none"
    }
    while (substr(text, 1, 1) == "\"") {
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
        skip()
    }
    if (!any)
        fail("no string")
    return found
}
