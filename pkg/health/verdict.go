// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package health judges whether the federation works, by what its collectors, tokens and samples tell. It asks nobody: what it judges
// is given to it.
package health

import (
	"fmt"
	"strings"
	"time"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
)

// Verdict is what a condition is to say. The zero value means that nothing can be said yet.
type Verdict struct {
	// Status is the status of the condition.
	Status gardencorev1beta1.ConditionStatus
	// Reason is one of the reasons in package conditions.
	Reason string
	// Message says what is wrong, and where to look.
	Message string
}

// IsZero says whether nothing can be said yet.
func (v Verdict) IsZero() bool {
	return v == Verdict{}
}

func isTrue(reason, format string, args ...any) Verdict {
	return Verdict{Status: gardencorev1beta1.ConditionTrue, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func isFalse(reason, format string, args ...any) Verdict {
	return Verdict{Status: gardencorev1beta1.ConditionFalse, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func isProgressing(reason, format string, args ...any) Verdict {
	return Verdict{Status: gardencorev1beta1.ConditionProgressing, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func isUnknown(reason, format string, args ...any) Verdict {
	return Verdict{Status: gardencorev1beta1.ConditionUnknown, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// maxNames is how many names a message lists.
const maxNames = 3

// list lists the first names, and says how many there are besides.
func list(names []string) string {
	if len(names) <= maxNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), len(names)-maxNames)
}

// left says how long something still takes, coarsely, so that a message with it does not change all the time.
func left(duration time.Duration) string {
	switch {
	case duration >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(duration/(24*time.Hour)))
	case duration >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(duration/time.Hour))
	case duration >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", int(duration/time.Minute))
	default:
		return "less than 2 minutes"
	}
}

func clockTime(t time.Time) string {
	return t.UTC().Format(time.RFC3339)
}
