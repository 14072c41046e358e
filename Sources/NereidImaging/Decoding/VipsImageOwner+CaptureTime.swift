// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CVips

extension VipsImageOwner {
    /// When the picture was taken, as the EXIF data says that the loader found; nil when there is none.
    var captureTime: CaptureTime? {
        // libvips' name for the block, VIPS_META_EXIF_NAME.
        let name = "exif-data"
        guard vips_image_get_typeof(image, name) != 0 else { return nil }
        var (address, count): (UnsafeRawPointer?, Int) = (nil, 0)
        guard vips_image_get_blob(image, name, &address, &count) == 0, let address else { return nil }
        // The memory belongs to the image, which outlives this.
        let block = UnsafeRawBufferPointer(start: address, count: count)
        return CaptureTime(exif: ByteReader(bytes: block, isBigEndian: true))
    }
}
