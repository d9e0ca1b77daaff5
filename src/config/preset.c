#include "config/preset.h"

#include <string.h>

const char *preset_find(const char *name)
{
    for (const struct preset *p = presets; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p->text;
    return NULL;
}
