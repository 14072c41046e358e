// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#include "CVips.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

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

typedef struct {
    cvips_stop stop;
    void *context;
} Stopping;

static void look(VipsImage *image, VipsProgress *progress, Stopping *stopping) {
    if (stopping->stop(stopping->context)) vips_image_set_kill(image, TRUE);
}

int cvips_save_png(VipsImage *image, void **bytes, size_t *count, cvips_stop stop, void *context) {
    Stopping stopping = {stop, context};
    vips_image_set_progress(image, TRUE);
    gulong handler = g_signal_connect(image, "eval", G_CALLBACK(look), &stopping);
    int status = vips_pngsave_buffer(image, bytes, count, "compression", 6, NULL);
    g_signal_handler_disconnect(image, handler);
    return status;
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

void cvips_release_memory(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void cvips_silence_warnings(void) {
    g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING, drop, NULL);
}
