//go:build seeded

package main

import _ "unsafe" // for go:linkname

// isSeeded says whether the runtime's dice can be seeded: see the command in the folder `seeded`.
const isSeeded = true

//go:linkname seedDice runtime.seedDice
func seedDice(seed uint64)
