// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// The layouts of raw outputs that Nereid reads. The raw value is the word for it in a model's settings (`head: yolox`).
public enum HeadKind: String, Sendable, Hashable, CaseIterable {
    /// `[N, A, 5+C]`: centre, size, objectness, class scores; decoded to input pixels. YOLOv3-v7 as YOLOv5 exports them.
    case yolov5
    /// `[N, 4+C, A]`: centre, size, class scores; decoded to input pixels. YOLOv8, YOLO11 and what shares their export.
    case yolov8
    /// `[N, K, 6]`: left, top, right, bottom, score, class; already suppressed. YOLOv10 and YOLO26.
    case endToEnd = "end2end"
    /// `[N, A, 5+C]` as YOLOX leaves it: offsets and logarithmic sizes on grids of strides 8, 16, 32, still to be decoded.
    case yolox
    /// Class scores with a background class and corner boxes as fractions of the input, in two outputs: SSD and its kin.
    case ssd
    /// Six raw maps of YOLO-FastestV2: boxes, objectness and classes at strides 16 and 32.
    case fastestV2 = "fastestv2"
    /// `[N, A, 5+C]` as YOLOX exports it decoded: the values of ``yolov5``, the pixels of ``yolox``.
    case yoloxDecoded = "yolox_decoded"
    /// `[N, A, 4+C]`: ``yolov8`` with rows and columns exchanged.
    case yolov8Rows = "yolov8_rows"
    /// `[N, A, 6]` as DeepStream-Yolo exports it: left, top, right, bottom, score, class; not yet suppressed.
    case deepStream = "deepstream"
    /// `[n, 7]` as YOLOv7 exports it with its suppression: picture, left, top, right, bottom, class, score.
    case yolov7EndToEnd = "yolov7_end2end"
    /// Ultralytics' RT-DETR: `[N, K, 4+C]` or `[N, K, 6]`, centre and size as fractions of the stretched picture.
    case rtdetr
    /// The raw maps of YOLOv5, as Nereid converts checkpoints; told by the metadata.
    case yolov5Maps = "yolov5_maps"
    /// The raw maps of YOLOv8, YOLO11, YOLO26 and their kin, as Nereid converts checkpoints; told by the metadata.
    case yolov8Maps = "yolov8_maps"
    /// `[N, C]`: logits or probabilities of what the whole picture shows.
    case classifier
    /// The raw maps of Detectron2's RetinaNet, as Nereid converts checkpoints; told by the metadata.
    case retinaNet = "retinanet"
    /// The first of the stages of Detectron2's Faster and Mask R-CNN, as Nereid converts checkpoints; told by the metadata.
    case rcnn

    /// How the training code behind this head feeds a picture to the network, as far as the file's metadata do not say.
    var preprocessing: Preprocessing {
        switch self {
        case .yolov5, .yolov5Maps, .yolov7EndToEnd, .deepStream:
            Preprocessing()
        case .yolov8, .yolov8Rows, .yolov8Maps, .endToEnd:
            Preprocessing(countsWholePadding: true)
        case .rtdetr:
            Preprocessing(fit: .stretch)
        case .yolox, .yoloxDecoded:
            Preprocessing(encoding: PixelEncoding(channels: .bgr, scale: 1), placement: .topLeft)
        case .ssd:
            Preprocessing(
                encoding: PixelEncoding(
                    scale: 1,
                    mean: .init(repeating: 127),
                    standardDeviation: .init(repeating: 128)
                ),
                fit: .stretch
            )
        case .fastestV2:
            Preprocessing(encoding: PixelEncoding(channels: .bgr), fit: .stretch)
        case .classifier:
            .imageNet
        case .retinaNet, .rcnn:
            .detectron2([:])
        }
    }

    /// The type that reads it.
    var head: any Head.Type {
        switch self {
        case .yolov5: YOLOv5Head.self
        case .yolov8: YOLOv8Head.self
        case .endToEnd: EndToEndHead.self
        case .yolox: YOLOXHead.self
        case .yoloxDecoded: YOLOXDecodedHead.self
        case .yolov8Rows: YOLOv8RowsHead.self
        case .deepStream: DeepStreamHead.self
        case .yolov7EndToEnd: YOLOv7EndToEndHead.self
        case .rtdetr: RTDETRHead.self
        case .ssd: SSDHead.self
        case .fastestV2: FastestV2Head.self
        case .yolov5Maps: YOLOv5MapsHead.self
        case .yolov8Maps: YOLOv8MapsHead.self
        case .classifier: ClassifierHead.self
        case .retinaNet: RetinaNetHead.self
        case .rcnn: ProposalHead.self
        }
    }
}
