// An object is freed in one function of its file: the one that ends it. Another that frees it would
// forget what has to be ended with it. A constructor may free what it could not finish.

@initialize:python@ @@
ends = {}         # (file, type): the functions that free it

# (type, function): no end of an object, but of a temporary one, or of one that is over already
temporary = {
    ('target', 'find_target'),              # src/cache/cache.c: a key to look up
    ('dedupe_record', 'tell'),              # src/proxy/dedupe.c: forget() leaves it to tell(), which still uses it
    ('upstream_config', 'way_redirect'),    # src/upstream/way.c: the copy that the way owned, replaced by the next
}

@freed@
type T;
idexpression T *I;
position p;
@@
 free@p(I)

@script:python@
p << freed.p;
T << freed.T;
@@
at, name = p[0], T.replace('struct ', '').replace('const ', '').strip()
where = at.current_element
constructs = where.endswith('_new') or (name, where) in temporary
if T.startswith('struct ') and '*' not in T and not constructs:
    ends.setdefault((at.file, name), set()).add((int(at.line), where))

@finalize:python@ @@
for (file, name), places in ends.items():
    first, *others = sorted(places)
    for line, where in others:
        if where != first[1]:
            print(f'{file}:{line}: {where}() frees a struct {name}; {first[1]}() ends those')
