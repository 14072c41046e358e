// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#ifndef NEREID_CZLIB_SHIM_H
#define NEREID_CZLIB_SHIM_H

#include <zlib.h>

// These are macros that pass the header's version, which Swift does not import.

/// Prepares to decode: bits 8 to 15 for zlib, 16 more for gzip, negative ones for raw data.
static inline int nereid_inflate_init(z_stream *stream, int bits) { return inflateInit2(stream, bits); }

/// Prepares to encode, with the same bits.
static inline int nereid_deflate_init(z_stream *stream, int bits) {
    return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
}

#endif
