// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#ifndef NEREID_EMBEDDED_H
#define NEREID_EMBEDDED_H

#include <stddef.h>
#include <stdint.h>

/// Files carried in the program that are too large for a Swift array literal. They live as long as the program.
typedef struct {
    const uint8_t *_Nonnull bytes;
    size_t count;
} NereidEmbedded;

/// Models/demo/demo.onnx
NereidEmbedded nereid_embedded_demo_graph(void);
/// Models/demo/model.yaml
NereidEmbedded nereid_embedded_demo_settings(void);
/// Web/samples/reef.jpg
NereidEmbedded nereid_embedded_sample_reef(void);
/// Web/samples/jellyfish.jpg
NereidEmbedded nereid_embedded_sample_jellyfish(void);
/// Web/samples/birds.jpg
NereidEmbedded nereid_embedded_sample_birds(void);
/// Web/samples/sharks.jpg
NereidEmbedded nereid_embedded_sample_sharks(void);

#endif
