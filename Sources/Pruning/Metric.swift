import FlapCore

/// How a channel of a linear map's input is scored; `rawValue` as in the paper
/// (FLAP, arXiv 2312.11983) and on the command line.
///
/// | metric | score of channel j |
/// |---|---|
/// | WIFV | var_j · ‖W_:,j‖² |
/// | IFV | var_j |
/// | WIFN | mean_i |W_ij| · sqrt(Σ x_j² / samples) |
/// | magnitude | ‖W_:,j‖ |
/// | REAP | of an expert: Σ gate · ‖f(x)‖ over the tokens that go through it ÷ their number |
/// | frequency | of an expert: tokens that go through it |
/// | random | of an expert: a number by chance, for comparison |
/// | OBS | that of WIFV, which decides how many units of a layer go; which ones, its order of removal |
public enum Metric: String, Hashable, Sendable, CaseIterable {
  /// Weighted input feature variance, the paper's choice.
  case weightedVariance = "WIFV"
  /// Input feature variance.
  case variance = "IFV"
  /// Weighted input feature norm.
  case weightedNorm = "WIFN"
  /// Norm of the weight alone. With ``Structure/uniform`` and without bias compensation it is the
  /// baseline called magnitude-sp.
  case magnitude = "magnitude"
  /// Conditional variance (Optimal Brain Surgeon, Hassibi and Stork 1993): units go in the order in
  /// which the others, fitted anew, can do without them.
  case conditionalVariance = "OBS"

  /// Router-weighted expert activation pruning (arXiv 2510.13999).
  case expertActivation = "REAP"
  case frequency = "frequency"
  case random = "random"

  /// Whether scores need calibration; without, they come from the weights alone, or from nothing.
  public var needsMoments: Bool { self != .magnitude && self != .random }

  /// Whether it scores experts, not channels.
  public var isOfExperts: Bool {
    self == .expertActivation || self == .frequency || self == .random
  }

  /// Whether the order of removal decides, which second moments tell.
  public var needsOrder: Bool { self == .conditionalVariance }

  /// Whether the scores at a tap are squared. The published code does so at that of attention, for
  /// the paper's metrics, not for its magnitude baseline.
  func squaresScores(at tap: Tap) -> Bool { tap == .attentionOutput && self != .magnitude }
}

/// How the budget is spread over layers and module kinds; `rawValue` as in the paper's ablation.
public enum Structure: String, Hashable, Sendable, CaseIterable {
  /// Adaptive over layers and modules: one threshold over all groups and neurons of the model.
  case adaptive = "AL-AM"
  /// Adaptive over layers, manual over modules: a given number of groups goes, neurons fill up.
  case adaptiveLayersManualModules = "AL-MM"
  /// Uniform over layers, manual over modules.
  case uniformLayersManualModules = "UL-MM"
  /// The same ratio in every layer and module.
  case uniform = "UL-UM"
  /// The counts of which the model loses least, by losses that were measured module by module.
  case measured
  /// The same number of experts in every layer that has some, and all else stays.
  case experts

  /// Whether a number of groups to remove has to be given.
  public var needsGroupsRemoved: Bool {
    self == .adaptiveLayersManualModules || self == .uniformLayersManualModules
  }
}
