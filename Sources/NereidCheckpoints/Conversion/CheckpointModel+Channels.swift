// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension CheckpointModel {
    /// How many channels the pictures have that the network was made for, as its first convolution tells; `nil` when the
    /// first layer is none that begins with a convolution.
    var pictureChannels: Int? {
        get throws {
            guard var module = layers.first else { return nil }
            // `Focus` puts the four pixels of each square beside each other.
            let pixels = module.className == "Focus" ? 4 : 1
            for _ in 0..<4 {
                if module.className == "Conv2d" {
                    let inputs = try Convolution(of: module).inputs
                    return inputs.isMultiple(of: pixels) ? inputs / pixels : nil
                }
                guard let inner = try module.optionalChild("conv") else { return nil }
                module = inner
            }
            return nil
        }
    }

    /// The map that the network's first layer takes, made of pictures of red, green and blue.
    ///
    /// Ultralytics' networks of one channel take the grey that OpenCV reads: 0.299 of red, 0.587 of green, 0.114 of blue
    /// (ITU-R BT.601). They get it here as real numbers, OpenCV's rounded to whole ones.
    ///
    /// Source: `IMREAD_GRAYSCALE` in `ultralytics/data/base.py` and `loaders.py`.
    ///
    /// - Throws: ``ConversionError/pictureChannels(count:path:)`` for networks of other pictures.
    func picture(_ images: FeatureMap, in graph: inout GraphBuilder) throws -> FeatureMap {
        guard let channels = try pictureChannels, channels != images.channels else { return images }
        let path = layers[0].path
        guard channels == 1, framework == .ultralytics else {
            throw ConversionError.pictureChannels(count: channels, path: path)
        }
        let weights: [Float] = [0.299, 0.587, 0.114]
        let grey = Convolution(weights: Weights(shape: [1, 3, 1, 1], count: 3) { weights })
        return try graph.convolution(images, grey, at: "grey")
    }
}
