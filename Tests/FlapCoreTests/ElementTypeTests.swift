import FlapCore
import Testing

@Suite struct ElementTypeTests {
  @Test(arguments: [("BF16", 2), ("F16", 2), ("F32", 4), ("F64", 8), ("U8", 1)])
  func namesAndSizesAreThoseOfSafetensors(name: String, byteCount: Int) {
    #expect(ElementType(rawValue: name)?.byteCount == byteCount)
  }

  @Test func namesAreCaseSensitive() {
    #expect(ElementType(rawValue: "bf16") == nil)
    #expect(ComputeType(rawValue: "bf16") == .bfloat16)
  }
}
