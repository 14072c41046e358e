// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What libFuzzer calls with each file that it makes up: opens it as a checkpoint and uses everything in it.
///
/// The sources of the reader are compiled together with this file; see `scripts/fuzz`.
@_cdecl("LLVMFuzzerTestOneInput")
public func readCheckpoint(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let contents = Array(UnsafeBufferPointer(start: start, count: count))
    var limits = CheckpointLimits()
    // Enough to reach every bound with files as small as a fuzzer's.
    limits.values = 20_000
    limits.repeatedElements = 10_000
    guard let checkpoint = try? Checkpoint(contents: contents, name: "fuzz", limits: limits) else { return 0 }
    checkpoint.root.forEachDescendant { value in
        _ = value.description
        _ = value.integer
        _ = value.double
        _ = value["model"]
        _ = value[0]
        _ = value.attribute("training")
        _ = value.bytes
        _ = value.object?.makerDescription
        if let tensor = value.tensor {
            _ = try? tensor.floats()
            _ = try? tensor.doubles()
            _ = try? tensor.integers()
            _ = try? tensor.bytes()
        }
    }
    _ = try? checkpoint.root.checkNesting(atMost: 50)
    return 0
}
