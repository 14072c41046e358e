// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#include "CONNXRuntime.h"

// A function at the wrong position would be called with another one's arguments: each position is checked here.
#define SLOT(position, function) \
    _Static_assert(offsetof(OrtApi, function) == (position) * sizeof(void *), #function " is out of place")

SLOT(1, GetErrorCode);
SLOT(2, GetErrorMessage);
SLOT(3, CreateEnv);
SLOT(7, CreateSession);
SLOT(8, CreateSessionFromArray);
SLOT(9, Run);
SLOT(10, CreateSessionOptions);
SLOT(17, DisableMemPattern);
SLOT(23, SetSessionGraphOptimizationLevel);
SLOT(24, SetIntraOpNumThreads);
SLOT(25, SetInterOpNumThreads);
SLOT(30, SessionGetInputCount);
SLOT(31, SessionGetOutputCount);
SLOT(33, SessionGetInputTypeInfo);
SLOT(34, SessionGetOutputTypeInfo);
SLOT(36, SessionGetInputName);
SLOT(37, SessionGetOutputName);
SLOT(39, CreateRunOptions);
SLOT(46, RunOptionsSetTerminate);
SLOT(49, CreateTensorWithDataAsOrtValue);
SLOT(51, GetTensorMutableData);
SLOT(55, CastTypeInfoToTensorInfo);
SLOT(60, GetTensorElementType);
SLOT(61, GetDimensionsCount);
SLOT(62, GetDimensions);
SLOT(63, GetSymbolicDimensions);
SLOT(65, GetTensorTypeAndShape);
SLOT(69, CreateCpuMemoryInfo);
SLOT(76, AllocatorFree);
SLOT(78, GetAllocatorWithDefaultOptions);
SLOT(92, ReleaseEnv);
SLOT(93, ReleaseStatus);
SLOT(94, ReleaseMemoryInfo);
SLOT(95, ReleaseSession);
SLOT(96, ReleaseValue);
SLOT(97, ReleaseRunOptions);
SLOT(98, ReleaseTypeInfo);
SLOT(99, ReleaseTensorTypeAndShapeInfo);
SLOT(100, ReleaseSessionOptions);
SLOT(111, SessionGetModelMetadata);
SLOT(116, ModelMetadataLookupCustomMetadataMap);
SLOT(118, ReleaseModelMetadata);
SLOT(123, ModelMetadataGetCustomMetadataMapKeys);
SLOT(125, GetAvailableProviders);
SLOT(126, ReleaseAvailableProviders);
SLOT(130, AddSessionConfigEntry);
SLOT(204, SessionOptionsAppendExecutionProvider_CUDA_V2);
SLOT(205, CreateCUDAProviderOptions);
SLOT(206, UpdateCUDAProviderOptions);
SLOT(208, ReleaseCUDAProviderOptions);
