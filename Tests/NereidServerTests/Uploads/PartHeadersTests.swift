// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("Headers of a part")
struct PartHeadersTests {
    static let values: [(text: String, value: String, parameters: [String: String])] = [
        ("form-data", "form-data", [:]),
        ("form-data; name=file", "form-data", ["name": "file"]),
        ("form-data; name=\"file\"; filename=\"a.png\"", "form-data", ["name": "file", "filename": "a.png"]),
        ("form-data;NAME=\"file\";FileName=a.png", "form-data", ["name": "file", "filename": "a.png"]),
        (" form-data \t;  name = \"a b\" ; x", "form-data", ["name": "a b"]),
        (#"form-data; filename="a \"b\" \\ c.png""#, "form-data", ["filename": #"a "b" \ c.png"#]),
        (#"form-data; filename="C:\temp\a.png""#, "form-data", ["filename": #"C:\temp\a.png"#]),
        ("form-data; filename=\"a;b=c.png\"; name=file", "form-data", ["filename": "a;b=c.png", "name": "file"]),
        ("form-data; filename=\"Seegurke ❄ 海鼠.png\"", "form-data", ["filename": "Seegurke ❄ 海鼠.png"]),
        ("form-data; filename=\"a%22b.png\"", "form-data", ["filename": "a%22b.png"]),
        ("form-data; filename=\"", "form-data", ["filename": ""]),
        ("form-data; filename=\"never closed", "form-data", ["filename": "never closed"]),
        ("form-data; name=; =x; ;;", "form-data", ["name": ""]),
        ("form-data; name=first; name=second", "form-data", ["name": "first"]),
        ("multipart/form-data; boundary=----a'b", "multipart/form-data", ["boundary": "----a'b"]),
        ("", "", [:]),
        (";;;", "", [:]),
    ]

    @Test("have values with parameters", arguments: values)
    func parsed(text: String, value: String, parameters: [String: String]) {
        let header = HeaderValue(text)
        #expect(header.value == value)
        #expect(header.parameters == parameters)
    }

    @Test("say what a part is called, and whether it is a file")
    func disposition() throws {
        #expect(try PartHeaders("Content-Disposition: form-data; name=\"a\"") == PartHeaders(name: "a"))
        let file = try PartHeaders(
            "X-Other: 1\r\ncontent-type: image/png\r\ncontent-DISPOSITION: FORM-DATA; name=file; filename=\"\""
        )
        #expect(file == PartHeaders(name: "file", filename: "", contentType: "image/png"))
    }

    @Test(
        "must say so",
        arguments: [
            "", "X: y", "Content-Type: a/b", "Content-Disposition: form-data", "Content-Disposition: inline; name=a",
        ]
    )
    func incomplete(text: String) {
        #expect(throws: MultipartError.malformed("a part has no ‘Content-Disposition: form-data; name=…’")) {
            try PartHeaders(text)
        }
    }
}
