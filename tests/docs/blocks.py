#!/usr/bin/python3
"""The code blocks of the documents and manual pages, and what becomes of each in the tests. As a program it is a lint: it prints each block
that is neither run nor marked, and each mark that has no block.

A block of a document is marked by a line <!-- not run: REASON --> before it; one of a manual page by a line of not-run.txt."""
import pathlib
import re
import sys
import textwrap
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'tests/README.md', *sorted(str(p.relative_to(SOURCE)) for p in SOURCE.glob('doc/*.md')),
             *sorted(str(p.relative_to(SOURCE)) for p in SOURCE.glob('examples/*/README.md'))]
PAGES = sorted(str(p.relative_to(SOURCE)) for p in SOURCE.glob('man/*.in'))
MARK = re.compile(r'^<!-- not run: (.+) -->$')
CONFIGURATION = re.compile(r'(listen|defaults|upstream|bot|order_journal|budget_store)\b')
COMMAND = re.compile(r'(trunkline|curl|redis-cli|make|export|arbscan|http://\S+|build/\S+|[A-Z_]+=\S+|http_proxy=\S+)(\s|$)')
SNIPPETS = 'doc/clients.md'     # its fenced blocks are run by tests/integration/test_client_snippets.py


@dataclass
class Block:
    place: str
    line: int
    language: str       # of a fenced block; empty: none
    text: str
    reason: str | None  # why it is not run; None: it is

    @property
    def first(self):
        return next((line for line in self.text.splitlines() if line.strip()), '')

    @property
    def kind(self):
        """not run, diagram, snippet, python, js, configuration, commands; None: nobody knows what to do with it."""
        if self.reason:
            return 'not run'
        if self.language == 'mermaid':
            return 'diagram'    # scripts/make-states makes it, and make lint compares
        if self.language and self.place == SNIPPETS:
            return 'snippet'
        if self.language in ('python', 'js'):
            return self.language
        if CONFIGURATION.match(self.first):
            return 'configuration'
        return 'commands' if all(map(COMMAND.match, commands(self.text))) else None

    def __str__(self):
        return f'{self.place}:{self.line}'


def commands(text):
    """The lines with commands, continued ones joined, comments left out."""
    lines = re.sub(r'\\\n *', '', text).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith('#')]


def marked(lines, at):
    """The reason of a mark before line `at` (from 0); there may be an empty line between."""
    before = [line for line in lines[max(0, at - 2):at] if line]
    found = MARK.match(before[-1]) if before else None
    return found and found[1]


def of_document(place):
    lines, at = (SOURCE / place).read_text().splitlines(), 0
    while at < len(lines):
        fence = re.match(r'```(\w*)$', lines[at])
        if fence:
            end = lines.index('```', at + 1)
            yield Block(place, at + 1, fence[1], '\n'.join(lines[at + 1:end]) + '\n', marked(lines, at))
        elif lines[at].startswith('    ') and at and not lines[at - 1]:
            end = at
            while end < len(lines) and (lines[end].startswith('    ') or (not lines[end] and lines[end + 1:end + 2] and lines[end + 1].startswith('    '))):
                end += 1
            if not re.match(r' {4} *[-*|] ', lines[at]):
                yield Block(place, at + 1, '', textwrap.dedent('\n'.join(lines[at:end]) + '\n'), marked(lines, at))
        else:
            end = at
        at = end + 1


def reasons():
    """The rows of not-run.txt: (page, first line) → reason."""
    rows = [line.split('\t') for line in (HERE / 'not-run.txt').read_text().splitlines() if line and not line.startswith('#')]
    return {(place, first): reason for place, first, reason in rows}


def of_page(place):
    lines, known = (SOURCE / place).read_text().splitlines(), reasons()
    for at in (n for n, line in enumerate(lines) if line == '.nf'):
        text = '\n'.join(lines[at + 1:lines.index('.fi', at)]).replace('\\-', '-').replace('\\e', '\\') + '\n'
        yield Block(place, at + 2, '', text, known.get((place, text.splitlines()[0])))


def blocks():
    return [b for place in DOCUMENTS for b in of_document(place)] + [b for place in PAGES for b in of_page(place)]


def complaints():
    found = blocks()
    for b in found:
        if b.kind is None:
            yield f'{b}: the block "{b.first}" is neither run nor marked (<!-- not run: REASON -->)'
    taken = {(b.place, b.first) for b in found}
    for place, first in reasons():
        if (place, first) not in taken:
            yield f'tests/docs/not-run.txt: {place} has no block that begins with "{first}"'
    for place in DOCUMENTS:
        marks = sum(bool(MARK.match(line)) for line in (SOURCE / place).read_text().splitlines())
        if marks != sum(b.place == place and b.kind == 'not run' for b in found):
            yield f'{place}: a mark "not run" has no block after it'


if __name__ == '__main__':
    said = list(complaints())
    print(*said, sep='\n', end='\n' if said else '')
    sys.exit(1 if said else 0)
