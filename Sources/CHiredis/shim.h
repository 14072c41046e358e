// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#ifndef NEREID_CHIREDIS_SHIM_H
#define NEREID_CHIREDIS_SHIM_H

#include <hiredis/hiredis.h>
#include <stdlib.h>

// The reader announces arrays before their elements have come, and makes room for them at once. Its only place to object is
// the function that makes the room, whose type differs between hiredis 0.14 and 1.0.

#if HIREDIS_MAJOR >= 1
typedef size_t nereid_element_count;
#else
typedef int nereid_element_count;
#endif

typedef struct nereid_reader_limits {
    redisReplyObjectFunctions functions;
    void *(*create_array)(const redisReadTask *, nereid_element_count);
    size_t elements;
    size_t depth;
} nereid_reader_limits;

static void *nereid_create_array(const redisReadTask *task, nereid_element_count count) {
    const nereid_reader_limits *limits = (const nereid_reader_limits *)task->privdata;
    size_t depth = 1;
    for (const redisReadTask *parent = task->parent; parent != NULL; parent = parent->parent) depth += 1;
    if (depth > limits->depth || (count > 0 && (size_t)count > limits->elements)) return NULL;
    return limits->create_array(task, count);
}

/// A reader that fails with REDIS_ERR_OOM at arrays of too many elements or too deep in each other; NULL without memory.
static inline redisReader *nereid_reader_create(size_t elements, size_t depth) {
    nereid_reader_limits *limits = (nereid_reader_limits *)malloc(sizeof(nereid_reader_limits));
    redisReader *reader = redisReaderCreate();
    if (limits == NULL || reader == NULL) {
        free(limits);
        if (reader != NULL) redisReaderFree(reader);
        return NULL;
    }
    limits->functions = *reader->fn;
    limits->create_array = reader->fn->createArray;
    limits->functions.createArray = nereid_create_array;
    limits->elements = elements;
    limits->depth = depth;
    reader->fn = &limits->functions;
    reader->privdata = limits;
    return reader;
}

static inline void nereid_reader_free(redisReader *reader) {
    void *limits = reader->privdata;
    redisReaderFree(reader);
    free(limits);
}

#endif
