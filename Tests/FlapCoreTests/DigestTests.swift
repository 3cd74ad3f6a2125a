import FlapCore
import Testing

@Suite struct DigestTests {
  private let hexadecimal = "00ff10a5" + String(repeating: "7e", count: 27) + "0A"

  @Test func hexadecimalThereAndBack() throws {
    let digest = try #require(Digest(hexadecimal: hexadecimal))
    #expect(digest.bytes.prefix(4) == [0x00, 0xFF, 0x10, 0xA5])
    #expect(digest.bytes.last == 0x0A)
    #expect(digest.hexadecimal == hexadecimal.lowercased())
    #expect("\(digest)" == hexadecimal.lowercased())
    #expect(Digest(bytes: digest.bytes) == digest)
  }

  @Test(arguments: [
    "", "00", String(repeating: "0", count: 63), String(repeating: "0", count: 65),
    String(repeating: "0", count: 63) + "g", String(repeating: "0", count: 62) + "é",
    " " + String(repeating: "0", count: 63),
  ])
  func otherTextsAreRefused(text: String) {
    #expect(Digest(hexadecimal: text) == nil)
  }

  @Test(arguments: [0, 31, 33])
  func otherLengthsAreRefused(count: Int) {
    #expect(Digest(bytes: Array(repeating: 1, count: count)) == nil)
  }
}
