// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

@testable import NereidVision

extension HeadEvidence {
    /// Outputs of these shapes, from an input of 640 × 640 unless said otherwise.
    init(
        _ shapes: [Int]...,
        names: [String] = [],
        input: PixelSize = PixelSize(width: 640, height: 640),
        labels: Int? = nil,
        task: VisionTask? = nil,
        metadata: [String: String] = [:]
    ) {
        self.init(
            outputs: shapes.enumerated().map { index, shape in
                .init(name: names.indices.contains(index) ? names[index] : "output\(index)", shape: shape)
            },
            input: input,
            labelCount: labels,
            task: task,
            metadata: metadata
        )
    }
}

extension HeadEvidence {
    /// What loading runs with these outputs show; the first is of the black picture.
    init(
        runs: [[Tensor]],
        names: [String] = [],
        input: PixelSize = PixelSize(width: 640, height: 640),
        labels: Int? = nil,
        given: Int? = nil,
        task: VisionTask? = nil,
        metadata: [String: String] = [:]
    ) {
        self.init(
            outputs: runs[0].enumerated().map { index, tensor in
                .init(
                    name: names.indices.contains(index) ? names[index] : "output\(index)",
                    shape: tensor.shape,
                    elementType: tensor.elementType
                )
            },
            input: input,
            labelCount: labels,
            task: task,
            metadata: metadata
        )
        self.runs = runs
        givenLabelCount = given
        inputNames = ["images"]
    }
}

extension Tensor {
    /// A tensor of shape `[1, rows, columns]`.
    static func rows(_ rows: [[Float]]) throws -> Tensor {
        try Tensor(rows.flatMap(\.self), shape: [1, rows.count, rows[0].count])
    }
}
