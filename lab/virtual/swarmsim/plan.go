package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// exitUsageOfPlan is how the workload ends that cannot read its plan (stampload.h, EXIT_USAGE).
const exitUsageOfPlan = 64

// never is later than any scenario lasts.
const never = time.Duration(math.MaxInt64)

// A plan is the life of an application, as lab/workload/serve.c reads it from its environment.
type plan struct {
	peakBytes, steadyBytes        int64
	boot, hold, ready, stop       time.Duration
	exitAt, unhealthyAt           time.Duration
	exitCode, oomScoreAdj         int64
	neverReady, inChild, hasScore bool
	slot, faultSlot               int64
}

const (
	bytesMax  = int64(1) << 46
	slotMax   = int64(1) << 30
	pageBytes = 4096
)

// readPlan reads the STAMPLOAD_ variables of a container's environment; the first of a name counts, as
// for getenv. Without any an application is light, and ready at once. As serve.c, it takes no variable
// that it does not know.
func readPlan(environment []string) (plan, error) {
	p := plan{peakBytes: -1, exitCode: 1, exitAt: never, unhealthyAt: never}
	var ignored string
	var port, score int64
	settings := map[string]func(string) error{
		"VERSION": func(text string) error { ignored = text; return notEmpty(text) },
		"PORT":    integer(&port, 1, 65535), "PEAK_BYTES": integer(&p.peakBytes, 0, bytesMax),
		"STEADY_BYTES": integer(&p.steadyBytes, 0, bytesMax), "BOOT_S": seconds(&p.boot),
		"HOLD_S": seconds(&p.hold), "READY_S": seconds(&p.ready), "STOP_S": seconds(&p.stop),
		"EXIT_AT_S": seconds(&p.exitAt), "EXIT_CODE": integer(&p.exitCode, 0, 255),
		"NEVER_READY": flag(&p.neverReady), "UNHEALTHY_AT_S": seconds(&p.unhealthyAt),
		"OOM_SCORE_ADJ": integer(&score, 0, 1000), "IN_CHILD": flag(&p.inChild),
		"SLOT": integer(&p.slot, 0, slotMax), "FAULT_SLOT": integer(&p.faultSlot, 0, slotMax),
	}
	_ = ignored // for what is answered to clients, which there are none of here
	seen := map[string]bool{}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		short, isOurs := strings.CutPrefix(name, "STAMPLOAD_")
		if !isOurs || seen[name] {
			continue
		}
		seen[name] = true
		read, known := settings[short]
		if !known {
			return p, fmt.Errorf("unknown variable %s", name)
		}
		if err := read(value); err != nil {
			return p, fmt.Errorf("%s %w", name, err)
		}
	}
	p.hasScore = seen["STAMPLOAD_OOM_SCORE_ADJ"]
	p.oomScoreAdj = score
	if p.peakBytes < 0 {
		p.peakBytes = p.steadyBytes
	}
	if p.peakBytes < p.steadyBytes {
		return p, fmt.Errorf("the peak (%d bytes) is below the steady state (%d bytes)",
			p.peakBytes, p.steadyBytes)
	}
	p.peakBytes, p.steadyBytes = wholePages(p.peakBytes), wholePages(p.steadyBytes)
	if p.faultSlot != 0 && p.faultSlot != p.slot {
		p.exitAt, p.unhealthyAt, p.neverReady = never, never, false
	}
	return p, nil
}

func wholePages(bytes int64) int64 { return (bytes + pageBytes - 1) / pageBytes * pageBytes }

func notEmpty(text string) error {
	if text == "" {
		return fmt.Errorf("is empty")
	}
	return nil
}

func integer(into *int64, least, most int64) func(string) error {
	return func(text string) error {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !isDigits(text) || number < least || number > most {
			return fmt.Errorf("must be a plain integer from %d to %d, not '%s'", least, most, text)
		}
		*into = number
		return nil
	}
}

func seconds(into *time.Duration) func(string) error {
	return func(text string) error {
		whole, fraction, hasPoint := strings.Cut(text, ".")
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || !isDigits(whole) || (hasPoint && !isDigits(fraction)) {
			return fmt.Errorf("must be seconds such as 1.5, not '%s'", text)
		}
		*into = duration(min(number, maxS))
		return nil
	}
}

func flag(into *bool) func(string) error {
	return func(text string) error {
		if text != "0" && text != "1" {
			return fmt.Errorf("must be 1 or 0, not '%s'", text)
		}
		*into = text == "1"
		return nil
	}
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == "" && len(text) <= 18
}
