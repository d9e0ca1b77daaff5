# Reads the rows of .def tables, MACRO(argument, …), and calls row(macro, n, arg) for each:
# arg[1…n] are its arguments as written, strings without their quotes and joined; strings
# inside brackets keep theirs. The file that is used with it defines row() and finish(). A
# row that cannot be read is a fatal error, so that no row is missed.

FNR == 1 { text = text "\n" }
/^#/ { next }
{ text = text $0 "\n" }

END {
    while (match(text, /\/\*([^*]|\*+[^*\/])*\*+\//))
        text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
    while (match(text, /^[ \t\n]*[A-Z_]+[ \t]*\(/)) {
        macro = substr(text, 1, RLENGTH)
        gsub(/[^A-Z_]/, "", macro)
        text = substr(text, RLENGTH + 1)
        split("", arg)
        count = 1
        read_arguments()
        row(macro, count, arg)
    }
    if (text ~ /[^ \t\n]/)
        fail("not a row")
    finish()
}

function fail(why) {
    print "rows: " why " near: " substr(text, 1, 60) >"/dev/stderr"
    exit 1
}

# Reads up to the bracket that closes the row.
function read_arguments(    c, depth) {
    for (;;) {
        c = substr(text, 1, 1)
        text = substr(text, 2)
        if (c == "")
            fail("a row without an end")
        else if (c == "\"")
            arg[count] = arg[count] (depth ? literal() : string())
        else if (c == ")" && depth == 0)
            break
        else if (c == "," && depth == 0)
            arg[++count] = ""
        else if (c !~ /[ \t\n]/ || (depth && arg[count] != ""))
            arg[count] = arg[count] c
        depth += (c == "(") - (c == ")")
    }
}

# Reads a C string as it is written, after its opening quote.
function literal(    before) {
    before = text
    string()
    return "\"" substr(before, 1, length(before) - length(text))
}

# Reads a C string, after its opening quote.
function string(    c, found) {
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
    return found
}
