// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#include "CEmbedded.h"

// The compiler takes #embed (C23) in every mode, and may say that this one is older.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const uint8_t demo_graph[] = {
#embed "../../Models/demo/demo.onnx"
};
static const uint8_t demo_settings[] = {
#embed "../../Models/demo/model.yaml"
};
static const uint8_t sample_reef[] = {
#embed "../../Web/samples/reef.jpg"
};
static const uint8_t sample_jellyfish[] = {
#embed "../../Web/samples/jellyfish.jpg"
};
static const uint8_t sample_birds[] = {
#embed "../../Web/samples/birds.jpg"
};
static const uint8_t sample_sharks[] = {
#embed "../../Web/samples/sharks.jpg"
};

NereidEmbedded nereid_embedded_demo_graph(void) { return (NereidEmbedded){demo_graph, sizeof demo_graph}; }
NereidEmbedded nereid_embedded_demo_settings(void) { return (NereidEmbedded){demo_settings, sizeof demo_settings}; }
NereidEmbedded nereid_embedded_sample_reef(void) { return (NereidEmbedded){sample_reef, sizeof sample_reef}; }
NereidEmbedded nereid_embedded_sample_jellyfish(void) { return (NereidEmbedded){sample_jellyfish, sizeof sample_jellyfish}; }
NereidEmbedded nereid_embedded_sample_birds(void) { return (NereidEmbedded){sample_birds, sizeof sample_birds}; }
NereidEmbedded nereid_embedded_sample_sharks(void) { return (NereidEmbedded){sample_sharks, sizeof sample_sharks}; }
