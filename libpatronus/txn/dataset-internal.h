/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What reading and writing a dataset's file share. */

#include "txn/dataset.h"

/* The header as it is in the file. */
void pt_dataset_header_write(const PtDatasetHeader *header,
                             uint8_t ret[static PT_DATASET_HEADER_SIZE]);
/* -EBADMSG: not a header, or beyond the limits. */
int pt_dataset_header_read(const uint8_t data[static PT_DATASET_HEADER_SIZE], PtDatasetHeader *ret);

/* The bytes of an address of the section's family, or of a MAC. */
size_t pt_dataset_key_size(PtDatasetSection section);
bool pt_dataset_is_range(PtDatasetSection section);

/* true if `lo` is the address after `hi`. */
bool pt_dataset_touches(const uint8_t *hi, const uint8_t *lo, size_t size);
