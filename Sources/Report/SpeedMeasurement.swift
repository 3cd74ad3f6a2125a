/// How fast a model is on one machine, beside the dense one as a rule: measured, not computed. It is
/// what `flap/bench.json` holds.
public struct SpeedMeasurement: Codable, Hashable, Sendable {
  /// What the CPU calls itself.
  public var cpu: String
  public var threads: Int
  /// Tokens that go through the model at once, and that follow one after another.
  public var promptTokens: Int
  public var generatedTokens: Int
  /// How often each model was measured, in turn with the other one.
  public var rounds: Int
  /// Of this program.
  public var version: String
  public var model: Model
  /// The dense model; nil where none was given.
  public var against: Model?
  public var engines: [Engine] = []
  /// What was not measured and why, a line each.
  public var notMeasured: [String] = []

  public init(
    cpu: String, threads: Int, promptTokens: Int, generatedTokens: Int, rounds: Int,
    version: String, model: Model, against: Model?
  ) {
    self.cpu = cpu
    self.threads = threads
    self.promptTokens = promptTokens
    self.generatedTokens = generatedTokens
    self.rounds = rounds
    self.version = version
    self.model = model
    self.against = against
  }

  /// What a model costs wherever it runs.
  public struct Model: Codable, Hashable, Sendable {
    /// For people: the last part of its path.
    public var name: String
    /// Of the checkpoint, or of the GGUF file.
    public var weightBytes: Int
    /// Keys and values of one token in all layers, in numbers of 16 bits; nil where the sizes of the
    /// layers are not known.
    public var keyValueCacheBytesPerToken: Int?
    /// Multiplications and additions for one token, those of attention over other tokens aside.
    public var flopsPerToken: Int?

    public init(
      name: String, weightBytes: Int, keyValueCacheBytesPerToken: Int?, flopsPerToken: Int?
    ) {
      self.name = name
      self.weightBytes = weightBytes
      self.keyValueCacheBytesPerToken = keyValueCacheBytesPerToken
      self.flopsPerToken = flopsPerToken
    }
  }

  /// A program that ran the models.
  public struct Engine: Codable, Hashable, Sendable {
    public var name: String
    public var version: String
    public var model: Speed
    public var against: Speed?
    /// Medians of the rounds' quotients, model ÷ dense; nil where there is no dense one.
    public var prefillRatio: Double?
    public var decodeRatio: Double?

    /// - Precondition: both were measured in the same rounds.
    public init(name: String, version: String, model: Speed, against: Speed?) {
      self.name = name
      self.version = version
      self.model = model
      self.against = against
      prefillRatio = against.map { model.prefill.ratio(to: $0.prefill) }
      decodeRatio = against.map { model.decode.ratio(to: $0.decode) }
    }
  }

  /// Of one model in one program.
  public struct Speed: Codable, Hashable, Sendable {
    public var prefill: Rate
    public var decode: Rate

    public init(prefill: Rate, decode: Rate) {
      self.prefill = prefill
      self.decode = decode
    }
  }

  public struct Rate: Codable, Hashable, Sendable {
    /// The median of the rounds.
    public var tokensPerSecond: Double
    public var rounds: [Double]

    public init(rounds: [Double]) {
      self.rounds = rounds
      tokensPerSecond = Rate.median(rounds)
    }

    /// The median of the rounds' quotients, which a machine that slows down for a while leaves alone.
    func ratio(to other: Rate) -> Double {
      precondition(rounds.count == other.rounds.count, "rounds go in pairs")
      return Rate.median(zip(rounds, other.rounds).map { $0 / $1 })
    }

    private static func median(_ values: [Double]) -> Double {
      precondition(!values.isEmpty, "there is a first round")
      let sorted = values.sorted()
      let middle = sorted.count / 2
      return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
  }
}
