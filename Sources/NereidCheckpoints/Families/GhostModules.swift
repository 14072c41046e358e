// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Ghost convolutions: half of the channels are cheap functions of the other half.
///
/// Source: `models/common.py` and, in old releases, `models/experimental.py` in YOLOv5; `ultralytics/nn/modules/conv.py`
/// and `block.py`.
enum GhostModules: ModuleFamily {
    static let translations: [String: ModuleTranslation] = [
        "GhostConv": .one { network, module, input in
            let primary = try network.translate(module.child("cv1"), input)
            let ghosts = try network.translate(module.child("cv2"), primary)
            return try network.graph.concatenation([primary, ghosts], at: module.path)
        },
        "GhostBottleneck": .one { network, module, input in
            let output = try network.translate(module.child("conv"), input)
            let past = try network.translate(module.child("shortcut"), input)
            return try network.graph.sum(output, past, at: module.path)
        },
    ]
}
