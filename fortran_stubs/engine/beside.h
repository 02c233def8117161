/* beside.h: what was installed in the folder of this library. */
#ifndef TW_BESIDE_H
#define TW_BESIDE_H

#include <stddef.h>

/* Path of a file there; empty where the folder cannot be told or the path is too long. */
void tw_beside(const char *file, char *path, size_t room);

#endif
