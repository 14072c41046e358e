// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// How a picture becomes a network's input, as its training code does it.
struct Preprocessing: Sendable, Hashable {
    /// How pixels become numbers.
    var encoding = PixelEncoding()
    /// How a picture is fitted into an input whose size can't change.
    var fit = Letterbox.Fit.square
    /// How it is resized.
    var resampling = Letterbox.Resampling.bilinear
    /// Where it lies in a larger input.
    var placement = Letterbox.Placement.centre
    /// Whether boxes are scaled back with the padding in whole pixels: Ultralytics does so, YOLOv5 does not.
    var countsWholePadding = false

    private static let mean = SIMD3<Float>(0.485, 0.456, 0.406)
    private static let standardDeviation = SIMD3<Float>(0.229, 0.224, 0.225)

    /// The way of most classifiers trained on ImageNet (torchvision's reference transforms): the middle of the picture,
    /// antialiased, with the mean and the standard deviation of that data set.
    static let imageNet = Preprocessing(
        encoding: PixelEncoding(mean: mean, standardDeviation: standardDeviation),
        fit: .crop,
        resampling: .antialiased
    )

    /// YOLOv5's classifiers: the largest square in the middle, resized without antialiasing; ImageNet's mean and deviation
    /// (`classify_transforms` in its `utils/augmentations.py`).
    static let yolov5Classifier = Preprocessing(
        encoding: PixelEncoding(mean: mean, standardDeviation: standardDeviation),
        fit: .cropFirst
    )

    /// Ultralytics' classifiers: the shorter side is resized with antialiasing, the middle is taken
    /// (`classify_transforms` in its `data/augment.py`).
    static let ultralyticsClassifier = Preprocessing(fit: .crop, resampling: .antialiased)

    /// What a file's metadata say, else what the head's training code does.
    ///
    /// Ultralytics' own exports of classifiers carry their task; other classifiers carry nothing.
    init(_ kind: HeadKind, metadata: [String: String]) {
        if kind == .retinaNet || kind == .rcnn {
            self = Self.detectron2(metadata)
            return
        }
        guard kind == .classifier else {
            self = kind.preprocessing
            return
        }
        self =
            switch metadata[HeadEvidence.Key.preprocessing] {
            case "yolov5": .yolov5Classifier
            case "ultralytics": .ultralyticsClassifier
            default: metadata["task"] == VisionTask.classify.rawValue ? .ultralyticsClassifier : kind.preprocessing
            }
    }

    /// Detectron2's networks: the shorter side gets a length, pixels of 0…255 are less the mean, and zeros are put at the
    /// right and below (`DefaultPredictor` in its `engine/defaults.py`, `preprocess_image` in its meta architectures). What
    /// the metadata do not say is as in its default configuration.
    static func detectron2(_ metadata: [String: String]) -> Preprocessing {
        func numbers(_ key: String, else usual: SIMD3<Float>) -> SIMD3<Float> {
            let numbers = metadata[key].flatMap(PythonLiteral.init(parsing:))?.numbers ?? []
            return numbers.count == 3 ? SIMD3(numbers.map(Float.init)) : usual
        }
        return Preprocessing(
            encoding: PixelEncoding(
                channels: metadata[HeadEvidence.Key.channels] == "rgb" ? .rgb : .bgr,
                scale: 1,
                mean: numbers(HeadEvidence.Key.mean, else: .init(103.53, 116.28, 123.675)),
                standardDeviation: numbers(HeadEvidence.Key.standardDeviation, else: .one),
                padsWithZero: true
            ),
            fit: .shortestEdge,
            resampling: .antialiased,
            placement: .topLeft
        )
    }

    init(
        encoding: PixelEncoding = .init(),
        fit: Letterbox.Fit = .square,
        resampling: Letterbox.Resampling = .bilinear,
        placement: Letterbox.Placement = .centre,
        countsWholePadding: Bool = false
    ) {
        self.encoding = encoding
        self.fit = fit
        self.resampling = resampling
        self.placement = placement
        self.countsWholePadding = countsWholePadding
    }
}
