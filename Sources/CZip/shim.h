// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#ifndef NEREID_CZIP_SHIM_H
#define NEREID_CZIP_SHIM_H

#include <zip.h>

#endif
