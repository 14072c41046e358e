// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#include "CVips.h"

#define OPEN(format)                                                                                                  \
    VipsImage *cvips_open_##format(const void *bytes, size_t count) {                                                 \
        VipsImage *image = NULL;                                                                                      \
        int status = vips_##format##load_buffer((void *)bytes, count, &image, "access", VIPS_ACCESS_SEQUENTIAL,       \
                                                "fail_on", VIPS_FAIL_ON_ERROR, NULL);                                 \
        return status == 0 ? image : NULL;                                                                            \
    }

OPEN(png)
OPEN(webp)
OPEN(tiff)
OPEN(heif)

int cvips_save_png(VipsImage *image, void **bytes, size_t *count) {
    return vips_pngsave_buffer(image, bytes, count, "compression", 6, NULL);
}

VipsImage *cvips_text(const char *markup, const char *font) {
    VipsImage *image = NULL;
    return vips_text(&image, markup, "font", font, "dpi", 72, NULL) == 0 ? image : NULL;
}

const unsigned char *cvips_region_row(VipsRegion *region, int y) {
    return VIPS_REGION_ADDR(region, region->valid.left, y);
}

static void drop(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data) {
}

void cvips_silence_warnings(void) {
    g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING, drop, NULL);
}
