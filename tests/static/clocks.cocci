// Time and randomness come from the loop (net/loop.h), so that a test can replay a run. Any use of
// the system's counts, a call or an address.

@initialize:python@ @@
# The loop itself; the log while there is no loop; commands that block and have no loop.
allowed = ('src/net/loop.c', 'src/base/log.c', 'src/cli/ca_init.c', 'src/cli/daemon_client.c', 'src/cli/orders.c', 'src/cli/watch.c')

@used@
identifier F =~ "^(time|clock|ftime|clock_gettime|gettimeofday|timespec_get|uv_hrtime|uv_now|uv_clock_gettime|uv_gettimeofday|getrandom|getentropy|uv_random|arc4random.*|rand|random|rand_r|[dlm]rand48)$";
position p;
@@
 F@p(...)

@script:python@
p << used.p;
F << used.F;
@@
if not p[0].file.endswith(allowed):
    print(f'{p[0].file}:{p[0].line}: {F}(): ask the loop for time and random numbers')

@address@
identifier F =~ "^(clock_gettime|gettimeofday|timespec_get|uv_hrtime|uv_clock_gettime|getrandom|getentropy|arc4random.*)$";
expression X;
identifier G;
position p;
@@
(
 X = F@p
|
 X = &F@p
|
 G(..., F@p, ...)
|
 G(..., &F@p, ...)
)

@script:python@
p << address.p;
F << address.F;
@@
if not p[0].file.endswith(allowed):
    print(f'{p[0].file}:{p[0].line}: {F}: ask the loop for time and random numbers')
