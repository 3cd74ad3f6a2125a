internal import FlapCore

/// What the order of removal does to the maps, where no losses were measured that would say more.
extension PruningReport {
  /// Markup; nil where there is no order of removal, or losses show its errors.
  var errorsHTML: String? {
    guard losses == nil, let errors else { return nil }
    let figures = errors.indices.map { layer in
      PerTap { tap in
        ErrorFigure(
          title: moduleTitle(layer, tap) + ": error", identifier: "e\(tap.letter)\(layer)",
          errors: errors[layer][tap], kept: plan.layers[layer].keptUnitCount(tap))
      }
    }
    let table = ModuleTable(
      caption: "The error of each map's output", groupName: groupName, figureName: "Error",
      cells: figures.map { figures in
        figures.map { figure in
          ModuleTable.Cell(
            svg: figure.svg, kept: figure.kept, all: figure.errors.count,
            figure: NumberText.percent(figure.share, digits: 1))
        }
      })
    return Markup.element("p", [:], errorsText) + table.html
  }

  private var errorsText: String {
    "The squared error of what attention and MLP give, as units go in the order of removal and the "
      + "others are fitted anew each time, over all calibration samples. To the left one unit is "
      + "kept, to the right all; error and line are shares of the error with one unit. The order "
      + "says which units go; how many of each layer FLAP’s scores decide, for no losses were "
      + "measured. "
      + Markup.key("error", "error of the output") + Markup.key("chosen", "kept by the plan")
  }

  /// "Layer 3, neurons".
  func moduleTitle(_ layer: Int, _ tap: Tap) -> String {
    switch tap {
    case .attentionOutput: "Layer \(layer), \(groupName)"
    case .mlpDown: "Layer \(layer), neurons"
    }
  }
}

extension Tap {
  /// For identifiers on a page.
  var letter: String {
    switch self {
    case .attentionOutput: "a"
    case .mlpDown: "m"
    }
  }
}
