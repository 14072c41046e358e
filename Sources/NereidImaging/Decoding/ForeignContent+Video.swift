// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignContent {
    /// A video by its container (ISO/IEC 14496-12, Matroska, RIFF, ISO/IEC 13818-1 and older ones).
    static func video(_ head: [UInt8]) -> ForeignContent? {
        guard let name = videoName(head) else { return nil }
        return ForeignContent(
            found: name,
            advice: "Take frames out of it and send those: ffmpeg -i FILE -vf fps=1 -q:v 2 frame-%06d.jpg "
                + "(one a second)."
        )
    }

    private static func videoName(_ head: [UInt8]) -> String? {
        if head.has("ftyp", at: 4) { return isoName(head) }
        // QuickTime files before the brand was invented begin with any of these boxes.
        if ["moov", "mdat", "wide", "pnot"].contains(where: { head.has($0, at: 4) }) {
            return "a QuickTime video (MOV)"
        }
        if head.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) {
            let start = String(decoding: head.prefix(64), as: UTF8.self)
            return start.contains("webm") ? "a WebM video" : "a Matroska video (MKV)"
        }
        if head.has("RIFF"), head.has("AVI ", at: 8) { return "an AVI video" }
        if isTransportStream(head) { return "an MPEG transport stream (TS)" }
        for (signature, name) in signatures where head.starts(with: signature) { return name }
        return textSignatures.first { head.has($0.signature) }?.name
    }

    /// The box `ftyp` of pictures is known where pictures are recognised; what comes here is a video or a sound.
    private static func isoName(_ head: [UInt8]) -> String? {
        let brand = String(decoding: head.dropFirst(8).prefix(4), as: UTF8.self)
        switch brand {
        case "avif", "avis", "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", "crx ": return nil
        case "qt  ": return "a QuickTime video (MOV)"
        case "M4A ", "M4B ": return "a sound file (M4A)"
        case _ where brand.hasPrefix("3g"): return "a 3GP video"
        default: return "an MP4 video"
        }
    }

    /// Packets of 188 bytes, 192 in cameras (M2TS), each of which begins with the same byte.
    private static func isTransportStream(_ head: [UInt8]) -> Bool {
        [(0, 188), (4, 192)].contains { start, stride in
            head.count > start + 2 * stride && (0..<3).allSatisfy { head[start + $0 * stride] == 0x47 }
        }
    }

    private static let signatures: [([UInt8], String)] = [
        ([0x00, 0x00, 0x01, 0xBA], "an MPEG video (program stream)"),
        ([0x00, 0x00, 0x01, 0xB3], "an MPEG video"),
        ([0x00, 0x00, 0x00, 0x01, 0x67], "an H.264 video without a container"),
        ([0x00, 0x00, 0x01, 0x67], "an H.264 video without a container"),
        ([0x00, 0x00, 0x00, 0x01, 0x09], "an H.264 video without a container"),
        ([0x00, 0x00, 0x00, 0x01, 0x40, 0x01], "an H.265 video without a container"),
        ([0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11], "a Windows Media video (WMV, ASF)"),
        ([0x06, 0x0E, 0x2B, 0x34], "an MXF video"),
    ]

    private static let textSignatures: [(signature: String, name: String)] = [
        ("FLV\u{1}", "a Flash video (FLV)"),
        ("OggS", "an Ogg video or sound file"),
        ("DKIF", "an IVF video"),
        ("YUV4MPEG2", "an uncompressed video (Y4M)"),
        (".RMF", "a RealMedia video"),
        ("#EXTM3U", "a playlist of a video stream (M3U8)"),
    ]
}
