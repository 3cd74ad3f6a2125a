/// Where labels stand that belong to places too near to one another.
package enum LabelPlaces {
  /// Places so far apart, in their order, none beyond 1 while there is room.
  ///
  /// - Parameter places: ascending, from 0 to 1.
  package static func spread(_ places: [Double], apart distance: Double) -> [Double] {
    var places = places
    for index in places.indices.dropFirst() {
      places[index] = max(places[index], places[index - 1] + distance)
    }
    var limit = max(1, Double(places.count - 1) * distance)
    for index in places.indices.reversed() {
      places[index] = min(places[index], limit)
      limit = places[index] - distance
    }
    return places
  }
}
