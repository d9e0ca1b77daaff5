"""The single faults that can be put into a C file: see of_file()."""
import dataclasses
import re

# What is written for the reader of a log, or stops the daemon, is no behaviour to be tested line by line.
LEFT_OUT = re.compile(r'\b(CHECK|MAGIC_CHECK|LOG\w*|TELL|(?:\w+_)?log_\w+|rare_\w+|RARE\w*|STATE_ENTER\w*)\(|^\s*(case|default)\b|->magic = |^\s*\{|^\s*static const\b')
ONLY_NOTED = re.compile(r'\s+(rare_note|LOG\w*|log_\w+)\(')

SWAPS = {
    'comparison': [(' == ', ' != '), (' != ', ' == '), (' < ', ' <= '), (' <= ', ' < '), (' > ', ' >= '), (' >= ', ' > ')],
    'logic': [(' && ', ' || '), (' || ', ' && '), (' & ', ' | '), (' | ', ' & ')],
    'arithmetic': [(' + ', ' - '), (' - ', ' + '), (' += ', ' -= '), (' -= ', ' += '), ('++', '--'), ('--', '++')],
    'constant': [(r'\btrue\b', 'false'), (r'\bfalse\b', 'true'), (r'(?<![\w.>])0(?![\w.])', '1'), (r'(?<![\w.>])1(?![\w.])', '0')],
    'negation': [(r'!(?=[\w(*])', '')],
}
STATEMENT = re.compile(r'\s+(\*?[a-z_]\w*(->|\.|\[|\(| [|&+*/-]?= |\+\+|--)|\+\+|--|(return|break|continue);)')
CONDITION = re.compile(r'\b(if|while) \(')


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One fault: the text from `start` to `end` is replaced by `put`."""
    file: str
    line: int
    kind: str
    start: int
    end: int
    put: str
    before: str         # the line, and the same with the fault
    after: str

    def applied(self, text):
        return text[:self.start] + self.put + text[self.end:]


def blanked(text):
    """The text with comments, strings and character constants blanked out, at the same offsets."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r'[^\n]', ' ' if m[0][0] == '/' else '_', m[0]), text)


def bodies(code):
    """(start, end) of each function's body; its braces stand in column 1."""
    for m in re.finditer(r'^\{\n(.*?)^\}\n', code, re.S | re.M):
        yield m.start(1), m.end(1)


def closing(code, at):
    """The offset of the parenthesis that closes the one at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == '(') - (code[i] == ')')
        if depth == 0:
            return i
    return len(code)


def of_line(code, start, end):
    """(kind, start, end, put) of each fault within one line."""
    row = code[start:end]
    for kind, swaps in SWAPS.items():
        for old, new in swaps:
            pattern = old if '\\' in old or '(' in old else re.escape(old)
            for m in re.finditer(pattern, row):
                yield kind, start + m.start(), start + m.end(), new
    for m in CONDITION.finditer(row):
        last = closing(code, start + m.end() - 1)
        yield 'condition', start + m.end() - 1, last + 1, '(!' + code[start + m.end() - 1:last + 1] + ')'
    if STATEMENT.match(row) and follows_statement(code, start):
        yield 'deletion', start, statement_end(code, start), None


def follows_statement(code, start):
    """Is what stands before the line the end of a statement, or what a statement may follow?"""
    before = code[:start].rstrip()
    return before[-1:] in ';{}):' or before.endswith('else')


def statement_end(code, start):
    depth = 0
    for i in range(start, len(code)):
        depth += (code[i] in '({') - (code[i] in ')}')
        if code[i] == ';' and depth == 0:
            return i + 1
    return len(code)


def deleted(text, start, end):
    """What stands in the place of a statement: nothing, in as many lines."""
    indent = re.match(r'\s*', text[start:end])[0]
    return indent + '(void)0;' + '\n' * text[start:end].count('\n')


def is_left_out(code, start, end):
    """Also a condition on one line of what is left out."""
    following = code[end + 1:code.find('\n', end + 1)]
    only = code[start:end].lstrip().startswith('if (') and ONLY_NOTED.match(following)
    return LEFT_OUT.search(code[start:end]) or only


def of_file(file, text):
    """All faults of a file's functions: a comparison, logical or arithmetical operator, constant or negation changed, a condition
    negated, a statement deleted."""
    code, found = blanked(text), []
    for first, last in bodies(code):
        at = first
        while at < last:
            end = code.index('\n', at)
            for kind, start, stop, put in () if is_left_out(code, at, end) else of_line(code, at, end):
                # conditions and statements are taken from the text, which has the strings
                put = deleted(text, start, stop) if kind == 'deletion' else '(!' + text[start:stop] + ')' if kind == 'condition' else put
                changed = (text[at:start] + put + text[stop:max(stop, end)]).rstrip('\n')
                found.append(Mutant(file, code.count('\n', 0, at) + 1, kind, start, stop, put,
                                    ' '.join(text[at:max(stop, end)].split()), ' '.join(changed.split())))
            at = end + 1
    return found
