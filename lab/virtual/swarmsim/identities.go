package main

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	_ "unsafe" // for go:linkname

	_ "github.com/moby/swarmkit/v2/identity"
)

// Where SwarmKit reads the randomness of its object ids (identity/randomid.go:13). Ids order tasks.
//
//go:linkname swarmkitRandomness github.com/moby/swarmkit/v2/identity.idReader
var swarmkitRandomness io.Reader

// seedIdentities makes all ids that SwarmKit gives from now on follow from a seed.
func seedIdentities(seed uint64) { swarmkitRandomness = randomness(seed, "swarm") }

// randomness is a stream of bytes for one purpose.
func randomness(seed uint64, purpose string) *rand.ChaCha8 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	copy(key[8:], purpose)
	return rand.NewChaCha8(key)
}

// newContainerID is one in the engine's form.
func newContainerID(from io.Reader) string {
	var id [32]byte
	if _, err := io.ReadFull(from, id[:]); err != nil {
		panic(err) // a ChaCha8 never ends
	}
	return hex.EncodeToString(id[:])
}
