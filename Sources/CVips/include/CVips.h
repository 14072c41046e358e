// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

// The variadic calls of libvips 8.14 that Swift cannot make. Each returns null or a number other than zero on failure;
// the words are then in vips_error_buffer_copy().

#ifndef NEREID_CVIPS_H
#define NEREID_CVIPS_H

#include <stddef.h>
#include <vips/vips.h>

// Open a picture for reading from the top to the bottom. Only the header is read at once. Damage is an error, not a
// grey area. The bytes must outlive the image.
VipsImage *cvips_open_png(const void *bytes, size_t count);
VipsImage *cvips_open_webp(const void *bytes, size_t count);
VipsImage *cvips_open_tiff(const void *bytes, size_t count);
VipsImage *cvips_open_heif(const void *bytes, size_t count);

// Whether to stop; called from time to time, perhaps on another thread.
typedef int (*cvips_stop)(void *context);

// Writes a PNG. The caller frees *bytes with g_free. Fails when it was stopped.
int cvips_save_png(VipsImage *image, void **bytes, size_t *count, cvips_stop stop, void *context);

// Draws Pango markup as one band of coverage, 72 dots per inch.
VipsImage *cvips_text(const char *markup, const char *font);

// The address of the first pixel of a row that the region holds.
const unsigned char *cvips_region_row(VipsRegion *region, int y);

// Returns freed memory to the system, if the C library can be told to.
void cvips_release_memory(void);

// Drops libvips's own warnings, which pictures from outside could otherwise fill a log with.
void cvips_silence_warnings(void);

#endif
