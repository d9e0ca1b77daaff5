// A state is written by STATE_ENTER() alone (base/state.h), in the one enter function of its type.
// What a page shows as a state (a view's, or an enum progress) is not the state of an object.

@initialize:python@ @@
import re

entered = {}      # noun: the places where it is entered
fields = {}       # file: the members that it enters
VIEW = re.compile(r'(v|view|row)$')

def of_file(name):
    if name not in fields:
        text = open(name, encoding='utf-8').read()
        fields[name] = {'state'} | set(re.findall(r'STATE_ENTER(?:_FOR)?\(\w+,\s*&[\w.>-]+(?:->|\.)(\w+),', text))
    return fields[name]

def written(at, owner, member, value):
    if member in of_file(at.file) and not VIEW.match(owner) and 'PROGRESS_' not in value:
        print(f'{at.file}:{at.line}: {owner}: {member} is written, in {at.current_element}(); only STATE_ENTER() may')

@write@
expression E, X;
identifier F;
position p;
@@
(
 E->F@p = X
|
 E.F@p = X
)

@script:python@
p << write.p;
E << write.E;
F << write.F;
X << write.X;
@@
written(p[0], E, F, X)

@step@
expression E;
identifier F;
position p;
@@
(
 E->F@p++
|
 E->F@p--
|
 ++E->F@p
|
 --E->F@p
)

@script:python@
p << step.p;
E << step.E;
F << step.F;
@@
written(p[0], E, F, '')

@enter@
identifier M =~ "^STATE_ENTER(_FOR)?$";
identifier noun;
position p;
@@
 M@p(noun, ...)

@script:python@
p << enter.p;
noun << enter.noun;
@@
at = p[0]
if re.match(r'(.*_)?enter(_.*)?$', at.current_element):
    entered.setdefault(noun, set()).add((at.file, int(at.line), at.current_element))
else:
    print(f'{at.file}:{at.line}: {noun} is entered in {at.current_element}(), which is no enter function')

@finalize:python@ @@
for noun, places in entered.items():
    (file, line, _), *others = sorted(places)
    for at in others:
        print(f'{at[0]}:{at[1]}: {noun} is entered in {at[2]}(), and also at {file}:{line}')
