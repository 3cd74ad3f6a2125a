public import FlapCore

/// A tensor to be written.
public struct TensorDeclaration: Hashable, Sendable {
  public let name: String
  public let elementType: ElementType
  public let shape: [Int]

  public init(name: String, elementType: ElementType, shape: [Int]) {
    self.name = name
    self.elementType = elementType
    self.shape = shape
  }

  public var byteCount: Int { shape.reduce(elementType.byteCount, *) }
}
