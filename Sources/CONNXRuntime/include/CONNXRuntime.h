// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#ifndef NEREID_CONNXRUNTIME_H
#define NEREID_CONNXRUNTIME_H

#include <stddef.h>
#include <stdint.h>

// ONNX Runtime exports one function, OrtGetApiBase; all others stand in a table that only ever grows at its end. The
// wheels carry no header, so the functions in use are declared here by their position; the rest are gaps.
// CONNXRuntime.c checks every position.

#pragma clang assume_nonnull begin

typedef struct OrtAllocator OrtAllocator;
typedef struct OrtCUDAProviderOptionsV2 OrtCUDAProviderOptionsV2;
typedef struct OrtEnv OrtEnv;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtModelMetadata OrtModelMetadata;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtStatus OrtStatus;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtValue OrtValue;

/// What a call answers: null when all is well.
typedef OrtStatus *_Nullable OrtAnswer;

typedef struct OrtApi {
    void *_Nullable gap_0[1];
    int (*_Nonnull GetErrorCode)(const OrtStatus *status);
    const char *_Nullable (*_Nonnull GetErrorMessage)(const OrtStatus *status);
    OrtAnswer (*_Nonnull CreateEnv)(int severity, const char *identifier, OrtEnv *_Nullable *_Nonnull out);
    void *_Nullable gap_4[3];
    OrtAnswer (*_Nonnull CreateSession)(
        const OrtEnv *environment, const char *path, const OrtSessionOptions *options,
        OrtSession *_Nullable *_Nonnull out);
    OrtAnswer (*_Nonnull CreateSessionFromArray)(
        const OrtEnv *environment, const void *bytes, size_t byte_count, const OrtSessionOptions *options,
        OrtSession *_Nullable *_Nonnull out);
    OrtAnswer (*_Nonnull Run)(
        OrtSession *session, const OrtRunOptions *_Nullable options, const char *_Nullable const *_Nullable input_names,
        const OrtValue *_Nullable const *_Nullable inputs, size_t input_count,
        const char *_Nullable const *_Nullable output_names, size_t output_count,
        OrtValue *_Nullable *_Nullable outputs);
    OrtAnswer (*_Nonnull CreateSessionOptions)(OrtSessionOptions *_Nullable *_Nonnull out);
    void *_Nullable gap_11[6];
    OrtAnswer (*_Nonnull DisableMemPattern)(OrtSessionOptions *options);
    void *_Nullable gap_18[5];
    OrtAnswer (*_Nonnull SetSessionGraphOptimizationLevel)(OrtSessionOptions *options, int level);
    OrtAnswer (*_Nonnull SetIntraOpNumThreads)(OrtSessionOptions *options, int count);
    OrtAnswer (*_Nonnull SetInterOpNumThreads)(OrtSessionOptions *options, int count);
    void *_Nullable gap_26[4];
    OrtAnswer (*_Nonnull SessionGetInputCount)(const OrtSession *session, size_t *out);
    OrtAnswer (*_Nonnull SessionGetOutputCount)(const OrtSession *session, size_t *out);
    void *_Nullable gap_32[1];
    OrtAnswer (*_Nonnull SessionGetInputTypeInfo)(
        const OrtSession *session, size_t index, OrtTypeInfo *_Nullable *_Nonnull out);
    OrtAnswer (*_Nonnull SessionGetOutputTypeInfo)(
        const OrtSession *session, size_t index, OrtTypeInfo *_Nullable *_Nonnull out);
    void *_Nullable gap_35[1];
    OrtAnswer (*_Nonnull SessionGetInputName)(
        const OrtSession *session, size_t index, OrtAllocator *allocator, char *_Nullable *_Nonnull out);
    OrtAnswer (*_Nonnull SessionGetOutputName)(
        const OrtSession *session, size_t index, OrtAllocator *allocator, char *_Nullable *_Nonnull out);
    void *_Nullable gap_38[1];
    OrtAnswer (*_Nonnull CreateRunOptions)(OrtRunOptions *_Nullable *_Nonnull out);
    void *_Nullable gap_40[6];
    OrtAnswer (*_Nonnull RunOptionsSetTerminate)(OrtRunOptions *options);
    void *_Nullable gap_47[2];
    /// Neither copies nor owns the data.
    OrtAnswer (*_Nonnull CreateTensorWithDataAsOrtValue)(
        const OrtMemoryInfo *memory, void *_Nullable data, size_t byte_count, const int64_t *_Nullable shape,
        size_t rank, int element_type, OrtValue *_Nullable *_Nonnull out);
    void *_Nullable gap_50[1];
    OrtAnswer (*_Nonnull GetTensorMutableData)(OrtValue *value, void *_Nullable *_Nonnull out);
    void *_Nullable gap_52[3];
    /// The result is borrowed from the argument; null when it does not describe a tensor.
    OrtAnswer (*_Nonnull CastTypeInfoToTensorInfo)(
        const OrtTypeInfo *info, const OrtTensorTypeAndShapeInfo *_Nullable *_Nonnull out);
    void *_Nullable gap_56[4];
    OrtAnswer (*_Nonnull GetTensorElementType)(const OrtTensorTypeAndShapeInfo *info, int *out);
    OrtAnswer (*_Nonnull GetDimensionsCount)(const OrtTensorTypeAndShapeInfo *info, size_t *out);
    OrtAnswer (*_Nonnull GetDimensions)(const OrtTensorTypeAndShapeInfo *info, int64_t *_Nullable out, size_t count);
    OrtAnswer (*_Nonnull GetSymbolicDimensions)(
        const OrtTensorTypeAndShapeInfo *info, const char *_Nullable *_Nullable out, size_t count);
    void *_Nullable gap_64[1];
    OrtAnswer (*_Nonnull GetTensorTypeAndShape)(
        const OrtValue *value, OrtTensorTypeAndShapeInfo *_Nullable *_Nonnull out);
    void *_Nullable gap_66[3];
    OrtAnswer (*_Nonnull CreateCpuMemoryInfo)(int allocator, int memory, OrtMemoryInfo *_Nullable *_Nonnull out);
    void *_Nullable gap_70[6];
    OrtAnswer (*_Nonnull AllocatorFree)(OrtAllocator *allocator, void *memory);
    void *_Nullable gap_77[1];
    /// The result is borrowed and lives as long as the library.
    OrtAnswer (*_Nonnull GetAllocatorWithDefaultOptions)(OrtAllocator *_Nullable *_Nonnull out);
    void *_Nullable gap_79[13];
    void (*_Nonnull ReleaseEnv)(OrtEnv *_Nullable object);
    void (*_Nonnull ReleaseStatus)(OrtStatus *_Nullable object);
    void (*_Nonnull ReleaseMemoryInfo)(OrtMemoryInfo *_Nullable object);
    void (*_Nonnull ReleaseSession)(OrtSession *_Nullable object);
    void (*_Nonnull ReleaseValue)(OrtValue *_Nullable object);
    void (*_Nonnull ReleaseRunOptions)(OrtRunOptions *_Nullable object);
    void (*_Nonnull ReleaseTypeInfo)(OrtTypeInfo *_Nullable object);
    void (*_Nonnull ReleaseTensorTypeAndShapeInfo)(OrtTensorTypeAndShapeInfo *_Nullable object);
    void (*_Nonnull ReleaseSessionOptions)(OrtSessionOptions *_Nullable object);
    void *_Nullable gap_101[10];
    OrtAnswer (*_Nonnull SessionGetModelMetadata)(const OrtSession *session, OrtModelMetadata *_Nullable *_Nonnull out);
    void *_Nullable gap_112[4];
    OrtAnswer (*_Nonnull ModelMetadataLookupCustomMetadataMap)(
        const OrtModelMetadata *metadata, OrtAllocator *allocator, const char *key, char *_Nullable *_Nonnull out);
    void *_Nullable gap_117[1];
    void (*_Nonnull ReleaseModelMetadata)(OrtModelMetadata *_Nullable object);
    void *_Nullable gap_119[4];
    /// Both the array and each key are the allocator's.
    OrtAnswer (*_Nonnull ModelMetadataGetCustomMetadataMapKeys)(
        const OrtModelMetadata *metadata, OrtAllocator *allocator, char *_Nullable *_Nullable *_Nonnull out,
        int64_t *count);
    void *_Nullable gap_124[1];
    OrtAnswer (*_Nonnull GetAvailableProviders)(char *_Nullable *_Nullable *_Nonnull out, int *count);
    OrtAnswer (*_Nonnull ReleaseAvailableProviders)(char *_Nullable *_Nullable names, int count);
    void *_Nullable gap_127[3];
    OrtAnswer (*_Nonnull AddSessionConfigEntry)(OrtSessionOptions *options, const char *key, const char *value);
    void *_Nullable gap_131[73];
    OrtAnswer (*_Nonnull SessionOptionsAppendExecutionProvider_CUDA_V2)(
        OrtSessionOptions *options, const OrtCUDAProviderOptionsV2 *cuda);
    OrtAnswer (*_Nonnull CreateCUDAProviderOptions)(OrtCUDAProviderOptionsV2 *_Nullable *_Nonnull out);
    OrtAnswer (*_Nonnull UpdateCUDAProviderOptions)(
        OrtCUDAProviderOptionsV2 *cuda, const char *_Nullable const *_Nullable keys,
        const char *_Nullable const *_Nullable values, size_t count);
    void *_Nullable gap_207[1];
    void (*_Nonnull ReleaseCUDAProviderOptions)(OrtCUDAProviderOptionsV2 *_Nullable object);
} OrtApi;

typedef struct OrtApiBase {
    /// The table as it stood at a version or later; null when the library is older.
    const OrtApi *_Nullable (*_Nonnull GetApi)(uint32_t version);
    const char *_Nullable (*_Nonnull GetVersionString)(void);
} OrtApiBase;

/// The type of the exported function `OrtGetApiBase`.
typedef const OrtApiBase *_Nullable (*OrtGetApiBaseFunction)(void);

#pragma clang assume_nonnull end

#endif
