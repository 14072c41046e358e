// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CONNXRuntime

extension ONNXRuntimeLibrary {
    /// Makes the options for loading a graph.
    ///
    /// The choices were measured with ONNX Runtime 1.32.0 and YOLOv5n (float16, 640x640) on two AMD EPYC cores with
    /// AVX-512, two runs at a time unless said otherwise:
    ///
    /// | choice | taken | other |
    /// |---|---|---|
    /// | optimisation | all: 39 images/s | extended or none: 28 |
    /// | memory pattern, a plan kept for each shape seen | off: 39 images/s, 140 MB | on: 39 images/s, 154 MB |
    /// | the same, MobileNetV2 at batches of 1…32 at random | off: 640 MB, reached at once | on: 900 MB, growing |
    /// | arena, which keeps freed memory | on: 39 images/s, 140 MB | off: 34 images/s, 187 MB |
    /// | the same, MobileNetV2 | on: 17 images/s, 640 MB | off: 15 images/s, 160 MB |
    /// | idle threads spin; one run of two threads alone | off: 34 images/s | on: 36 images/s |
    /// | the same, beside two threads that compress | off: 13…18 images/s | on: 10 images/s |
    ///
    /// So the arena is the price of speed, but what it keeps is bounded by the largest picture and batch.
    func makeSessionOptions(device: Device, threads: Int) throws(ONNXRuntimeFailure) -> ONNXRuntimeObject {
        let options = try make(\.ReleaseSessionOptions) { api, out in api.pointee.CreateSessionOptions(&out) }
        try options { options throws(ONNXRuntimeFailure) in
            try check(api.pointee.SetSessionGraphOptimizationLevel(options, 99))
            try check(api.pointee.SetIntraOpNumThreads(options, Int32(threads)))
            try check(api.pointee.SetInterOpNumThreads(options, 1))
            try check(api.pointee.DisableMemPattern(options))
            try check(api.pointee.AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0"))
        }
        if case .cuda(let index) = device { try appendCUDA(index, to: options) }
        return options
    }

    private func appendCUDA(_ index: Int, to options: ONNXRuntimeObject) throws(ONNXRuntimeFailure) {
        let cuda = try make(\.ReleaseCUDAProviderOptions) { api, out in api.pointee.CreateCUDAProviderOptions(&out) }
        let answer = "device_id".withCString { key in
            String(index).withCString { value in
                let keys: [UnsafePointer<CChar>?] = [key]
                let values: [UnsafePointer<CChar>?] = [value]
                return cuda { api.pointee.UpdateCUDAProviderOptions($0, keys, values, keys.count) }
            }
        }
        try check(answer)
        try check(
            options { options in
                cuda { api.pointee.SessionOptionsAppendExecutionProvider_CUDA_V2(options, $0) }
            }
        )
    }
}
