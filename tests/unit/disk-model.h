/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A disk that can lose power. What the program does below one folder is recorded (the executable
 * must be linked with disk_model_link_args, which lead its calls here), and from any moment of it
 * the states can be made that a power cut may leave: POSIX promises nothing but what was synced.
 * A file has its content of its last fsync() or fdatasync(), and of what was written since all,
 * none, a part, or zeros; a folder has its names of its last fsync(), and of what was created,
 * renamed or removed since all, none, the first ones, or any.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Records from now on; `root` is there and empty. One at a time. */
void disk_record(const char *root);
void disk_stop(void);
unsigned disk_operations(void);             /* so far */
char *disk_operation_text(unsigned number); /* for people; owned */

typedef enum DiskNames {
        DISK_NAMES_ALL,
        DISK_NAMES_NONE,
        DISK_NAMES_FIRST, /* so many, by the seed, in each folder */
        DISK_NAMES_SOME,  /* any, by the seed */
        DISK_NAMES_MAX,
} DiskNames;

typedef enum DiskData {
        DISK_DATA_ALL,
        DISK_DATA_NONE,
        DISK_DATA_TORN, /* the last write ends early, where the seed says; those before are there */
        DISK_DATA_ZEROS, /* the size is there, the data is not */
        DISK_DATA_MIXED, /* each file as the seed says */
        DISK_DATA_MAX,
} DiskData;

/* What is on the disk after the first `operations` of what was recorded. Goes forward only. */
typedef struct DiskModel DiskModel;
DiskModel *disk_model_new(void);
void disk_model_free(DiskModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DiskModel, disk_model_free)
void disk_model_go(DiskModel *model, unsigned operations);
/* Makes the folder `target`, which must not be there, what a power cut leaves now. */
void disk_model_write(const DiskModel *model, const char *target, DiskNames names, DiskData data,
                      uint32_t seed);
