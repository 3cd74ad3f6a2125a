public import FlapCore

/// Why nothing can be pruned as asked.
public enum PruningError: Error, Hashable, Sendable {
  case ratioOutOfRange(Double)
  /// The units that no layer may lose exceed the budget.
  case ratioUnreachable(asked: Double, largestReachable: Double)
  /// The same where some layers stay as they are.
  case ratioUnreachableSparing(asked: Double, largestReachable: Double)
  /// A layer that is to stay as it is, and that the model does not have.
  case noSuchLayer(Int, layerCount: Int)
  /// Every layer is to keep the same, and some all of it.
  case sparedLayersDiffer
  /// A layer that is to stay as it is has counts that the rules do not allow.
  case sparedUnits(layer: Int, Tap, found: Int, multiple: Int)
  /// A kind of module cannot lose the part of its parameters that is left to it.
  case moduleRatioUnreachable(Tap, needed: Double, largest: Double)
  /// The structure shares the ratio among attention and MLP in a way of its own.
  case moduleRatioUnused(Structure)
  case groupsRemovedMissing(Structure)
  case groupsRemovedUnused(Structure)
  case groupsRemovedOutOfRange(asked: Int, largest: Int)
  /// UL-MM removes the same number in every layer.
  case groupsRemovedUneven(asked: Int, layerCount: Int)
  /// The groups alone are more than the ratio asks for.
  case groupsExceedRatio(asked: Double, reached: Double)
  case momentsMissing(Metric)
  case tooFewTokens(Int)
  case noSamples
  /// The statistics have no order of removal of this shape's units.
  case orderMissing
  /// The statistics have no measured losses.
  case lossesMissing
  case layerCount(expected: Int, found: Int)
  case channelCount(layer: Int, tap: Tap, expected: Int, found: Int)
  case scoreNotFinite(layer: Int, tap: Tap, channel: Int)
  /// A hidden size, head dimension or vocabulary that no model has.
  case unusableShape
  /// A layer without heads or neurons, or whose heads do not divide into groups.
  case unusableLayer(Int)
  /// Counts that obey the rules are all too far from the ratio.
  case ratioMissed(asked: Double, nearest: Double)
  /// A layer has fewer groups or neurons than the multiple that it is to keep.
  case tooFewUnits(layer: Int, Tap, found: Int, multiple: Int)
  /// Every layer is to keep the same, but a group is not the same in all of them.
  case unevenGroups(layer: Int)
  /// No number of heads divides the hidden size.
  case noUniformHeads(hiddenSize: Int)
  case noExperts
  /// Of experts that are to be replaced.
  case expertOutputsMissing
  /// Of experts whose neurons are to go, or to leave a bias.
  case expertMomentsMissing
  /// The share of the experts is more than the ratio asks for.
  case expertsExceedRatio(asked: Double, reached: Double)
  /// Every layer keeps at least one expert.
  case expertShareUnreachable(asked: Double, largest: Double)
  /// A metric that scores no channels.
  case metricOfExperts(Metric)
  /// A plan that has other experts than the layer, or leaves them of several sizes.
  case expertsUnusable(layer: Int)
  /// A plan whose layer leaves no group or no neuron.
  case emptiedLayer(Int)
  /// An error curve has a value that is no number, after so many units are removed.
  case errorNotFinite(layer: Int, tap: Tap, removed: Int)
  /// A loss that was measured is no number.
  case lossNotFinite(layer: Int, tap: Tap, kept: Int)
  /// A module that could lose units was measured at no count.
  case lossNotMeasured(layer: Int, tap: Tap)
  /// A loss was measured twice at one count, or at none that a module with units removed can have.
  case lossLevelUnusable(layer: Int, tap: Tap, kept: Int, units: Int)
}

extension PruningError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .orderMissing:
      "The statistics hold no order of removal, which --metric OBS and --structure measured need; "
        + "calibrate with --method best."
    case .lossesMissing:
      "The statistics hold no measured losses, which --structure measured needs; calibrate with "
        + "--method best."
    case .ratioOutOfRange(let ratio):
      "The ratio \(ratio) is outside [0, 1); give the part of the decoder parameters to remove, "
        + "such as 0.2."
    case .ratioUnreachable(let asked, let largest):
      "The ratio \(asked) cannot be reached: every layer keeps at least one group of heads and one "
        + "neuron; give at most \(roundedDown(largest))."
    case .ratioUnreachableSparing(let asked, let largest):
      "The ratio \(asked) cannot be reached without the layers that are to stay as they are; give at "
        + "most \(roundedDown(largest)), or leave fewer of them out."
    case .noSuchLayer(let layer, let count):
      "There is no layer \(layer) that could stay as it is: the model has the layers 0 to "
        + "\(count - 1)."
    case .sparedLayersDiffer:
      "Every layer is to keep the same counts, so that none can stay as it is; leave out --uniform "
        + "or --exclude-layers."
    case .sparedUnits(let layer, let tap, let found, let multiple):
      "\(tap.moduleName(layer: layer)) is to stay as it is, but its \(found) "
        + "\(tap == .mlpDown ? "neurons" : "groups of heads") are no multiple of \(multiple); give "
        + "another one, or do not exclude the layer."
    case .moduleRatioUnreachable(let tap, let needed, let largest):
      "With these ratios \(tap == .mlpDown ? "the MLPs" : "attention") would have to lose "
        + "\((needed * 10_000).rounded() / 10_000) of \(tap == .mlpDown ? "their" : "its") "
        + "parameters, and can lose 0 to \(roundedDown(largest)); change --ratio or the module's."
    case .moduleRatioUnused(let structure):
      "The structure \(structure.rawValue) \(structure.needsGroupsRemoved ? "" : "with --uniform ")"
        + "shares the ratio among attention and MLPs by itself; leave out the ratio of a module."
    case .groupsRemovedMissing(let structure):
      "The structure \(structure.rawValue) needs the number of groups to remove from the model."
    case .groupsRemovedUnused(let structure):
      "The structure \(structure.rawValue) finds the number of groups to remove by itself; leave "
        + "it out, or choose AL-MM or UL-MM."
    case .groupsRemovedOutOfRange(let asked, let largest):
      "\(asked) groups cannot be removed: every layer keeps at least one; give 0 to \(largest)."
    case .groupsRemovedUneven(let asked, let layerCount):
      "\(asked) groups cannot be removed evenly from \(layerCount) layers as UL-MM does; give a "
        + "multiple of \(layerCount)."
    case .groupsExceedRatio(let asked, let reached):
      "The groups to remove are already \(roundedDown(reached)) of the decoder parameters, more "
        + "than the ratio \(asked); remove fewer groups or raise the ratio."
    case .momentsMissing(let metric):
      "The metric \(metric.rawValue) needs calibration statistics; calibrate first."
    case .tooFewTokens(let count):
      "The statistics count \(count) tokens, but a variance needs two; calibrate with more."
    case .noSamples:
      "The statistics count no samples, but the metric WIFN divides by them; calibrate again."
    case .layerCount(let expected, let found):
      "Found \(found) decoder layers where the model has \(expected); the file belongs to another "
        + "model."
    case .channelCount(let layer, let tap, let expected, let found):
      "Found \(found) units or channels for \(tap.moduleName(layer: layer)) where the model has "
        + "\(expected); the file belongs to another model."
    case .scoreNotFinite(let layer, let tap, let channel):
      "The score of \(tap.moduleName(layer: layer)), channel \(channel), is not finite; check the "
        + "model's weights and the statistics."
    case .unusableShape:
      "The model's hidden size, head dimension or vocabulary is not between 1 and "
        + "\(Limits.dimension); check the model's config."
    case .unusableLayer(let layer):
      "Decoder layer \(layer) has no heads or neurons, or its heads do not divide into groups; "
        + "check the model's config."
    case .ratioMissed(let asked, let nearest):
      "The ratio \(asked) cannot be kept with the widths asked for; the nearest is "
        + "\(roundedDown(nearest)): give that, or smaller multiples."
    case .tooFewUnits(let layer, let tap, let found, let multiple):
      "\(tap.moduleName(layer: layer)) has \(found) \(tap == .mlpDown ? "neurons" : "groups of heads"), "
        + "less than the multiple of \(multiple) that it is to keep; give a smaller one."
    case .unevenGroups(let layer):
      "Decoder layer \(layer) has more or fewer query heads to a key/value head than layer 0: no "
        + "counts are the same in every layer; leave out --uniform."
    case .noUniformHeads(let hiddenSize):
      "No number of heads that every layer could keep divides the hidden size \(hiddenSize), as "
        + "LlamaConfig wants it; leave out --uniform or use a smaller multiple."
    case .noExperts:
      "The model has no experts to remove; choose a metric of channels, such as WIFV."
    case .expertOutputsMissing:
      "The statistics hold no mean outputs of experts, which --replace-experts needs; calibrate with "
        + "--replace-experts."
    case .expertMomentsMissing:
      "The statistics hold no moments of experts' neurons, which every --structure but experts needs; "
        + "calibrate with --expert-neurons."
    case .expertsExceedRatio(let asked, let reached):
      "The experts to remove are already \(roundedDown(reached)) of the decoder parameters, more than "
        + "the ratio \(asked); give a smaller --experts-ratio or a larger --ratio."
    case .expertShareUnreachable(let asked, let largest):
      "The share \(asked) of the experts cannot be removed: every layer keeps at least one; give at "
        + "most \(roundedDown(largest))."
    case .metricOfExperts(let metric):
      "The metric \(metric.rawValue) scores experts, and what is to be pruned are heads and neurons; "
        + "choose another."
    case .expertsUnusable(let layer):
      "The plan has other experts in decoder layer \(layer) than the model, or leaves them of several "
        + "sizes; the file belongs to another model."
    case .emptiedLayer(let layer):
      "The plan leaves decoder layer \(layer) without a group or a neuron; keep at least one each."
    case .errorNotFinite(let layer, let tap, let removed):
      "The error of \(tap.moduleName(layer: layer)) without \(removed) of its units is not finite; "
        + "check the model's weights and the statistics."
    case .lossNotFinite(let layer, let tap, let kept):
      "The loss measured with \(kept) units of \(tap.moduleName(layer: layer)) is not finite; check "
        + "the model's weights and the samples."
    case .lossNotMeasured(let layer, let tap):
      "No loss was measured with fewer units of \(tap.moduleName(layer: layer)) than it has; measure "
        + "at least one count."
    case .lossLevelUnusable(let layer, let tap, let kept, let units):
      "The loss with \(kept) of the \(units) units of \(tap.moduleName(layer: layer)) was measured "
        + "twice or cannot be; measure counts from 1 to \(units - 1), each once."
    }
  }

  /// Four decimals, down, so that the number named is one that works.
  private func roundedDown(_ ratio: Double) -> Double { (ratio * 10_000).rounded(.down) / 10_000 }
}
