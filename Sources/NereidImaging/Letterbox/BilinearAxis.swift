// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// For one axis, which two source pixels each target pixel is mixed from, and in what parts.
///
/// This is the arithmetic of OpenCV's `resize` with `INTER_LINEAR` on 8-bit pixels: pixel centres at halves, the
/// position in single precision, weights rounded to 11 bits (modules/imgproc/src/resize.cpp).
struct BilinearAxis {
    /// One target pixel: source pixels `first` and `second`, weights in 2048ths.
    struct Tap {
        var first: Int
        var second: Int
        var firstWeight: Int16
        var secondWeight: Int16
    }

    /// The weight of a source pixel that is taken whole.
    static let whole: Int16 = 2048

    let taps: [Tap]

    /// - Parameter snapsToEdge: Whether positions beyond the outer pixel centres take the outer pixel whole. OpenCV
    ///   does so across, while down it mixes the outer row with itself, which may round differently.
    init(source: Int, target: Int, snapsToEdge: Bool) {
        // By way of the reciprocal, as OpenCV does: the last bit can decide a rounding.
        let scale = 1 / (Double(target) / Double(source))
        taps = (0..<target).map { index in
            let position = Float((Double(index) + 0.5) * scale - 0.5)
            var first = Int(position.rounded(.down))
            var fraction = position - Float(first)
            if snapsToEdge {
                if first < 0 { (first, fraction) = (0, 0) }
                if first >= source - 1 { (first, fraction) = (source - 1, 0) }
            }
            return Tap(
                first: min(max(first, 0), source - 1),
                second: min(max(first + 1, 0), source - 1),
                firstWeight: Self.weight(1 - fraction),
                secondWeight: Self.weight(fraction)
            )
        }
    }

    private static func weight(_ part: Float) -> Int16 {
        Int16((part * Float(whole)).rounded(.toNearestOrEven))
    }
}
