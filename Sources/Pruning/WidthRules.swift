/// Which counts of groups and neurons a layer may be left with: what a class of transformers, a
/// kernel or a way of serving the model asks for.
public struct WidthRules: Hashable, Sendable {
  /// Every layer keeps the same counts.
  public var isUniform: Bool
  /// Kept groups of every layer are a multiple of it.
  public var groupMultiple: Int
  /// Kept neurons of every layer are a multiple of it.
  public var neuronMultiple: Int
  /// With ``isUniform``: the number of query heads divides the hidden size, as `LlamaConfig` of
  /// transformers 5 wants it.
  public var headsDivideHiddenSize: Bool
  /// With ``isUniform``: all groups stay, as `Phi3Config` wants it of models with longrope, whose numbers
  /// of divisors it counts by the number of heads.
  public var keepsGroups = false

  /// - Precondition: multiples are positive.
  public init(
    isUniform: Bool = false, groupMultiple: Int = 1, neuronMultiple: Int = 1,
    headsDivideHiddenSize: Bool = false
  ) {
    precondition(groupMultiple > 0 && neuronMultiple > 0, "A multiple is at least 1.")
    self.isUniform = isUniform
    self.groupMultiple = groupMultiple
    self.neuronMultiple = neuronMultiple
    self.headsDivideHiddenSize = headsDivideHiddenSize
  }

  /// Multiples of a rounding and of the ranks of tensor parallelism, which share out every layer's
  /// groups and neurons evenly.
  ///
  /// - Precondition: both are positive.
  public init(
    isUniform: Bool, roundingNeuronsTo rounding: Int, tensorParallelism ranks: Int,
    headsDivideHiddenSize: Bool = false
  ) {
    self.init(
      isUniform: isUniform, groupMultiple: ranks,
      neuronMultiple: rounding / greatestCommonDivisor(rounding, ranks) * ranks,
      headsDivideHiddenSize: headsDivideHiddenSize)
  }

  /// Kept neurons of every expert are a multiple of it, but for all of them: transformers 5 multiplies
  /// those of its own classes at once, which wants rows of whole 16 bytes (`torch._grouped_mm`).
  ///
  /// - Parameter width: neurons of an expert.
  func expertNeuronMultiple(of width: Int) -> Int {
    let aligned = neuronMultiple / greatestCommonDivisor(neuronMultiple, 8) * 8
    return isUniform && aligned <= width ? aligned : neuronMultiple
  }

  /// Whether any counts will do.
  var areNone: Bool { self == WidthRules() }
}

func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
  var (x, y) = (a, b)
  while y != 0 { (x, y) = (y, x % y) }
  return x
}
