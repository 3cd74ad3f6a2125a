import Testing
import Tokenizer

/// Letters, numbers, spaces and Form C over all of Unicode, as the package `tokenizers` has them.
@Suite struct UnicodeTests {
  private static var scalars: some Sequence<Unicode.Scalar> {
    stride(from: UInt32(0), to: 0x110000, by: Golden.scalarStep).lazy
      .compactMap { Unicode.Scalar($0) }
  }

  @Test func classesOfAllScalars() throws {
    let classes = ScalarClasses()
    let digest = fnv64(
      UnicodeTests.scalars.lazy.map { classes[$0.value] & ~ScalarClasses.newline })
    #expect(try digest.hexadecimal == Golden.scalarClasses())
  }

  @Test func compositionOfAllScalars() throws {
    let composition = CanonicalComposition()
    var digest = fnv64([])
    for scalar in UnicodeTests.scalars {
      var text = "e\(scalar)\u{323}\(scalar)\n"
      var composed: [UInt8] = []
      text.withUTF8 { composition.append($0, to: &composed) }
      digest = fnv64(composed, from: digest)
    }
    #expect(try digest.hexadecimal == Golden.compositions())
  }
}
