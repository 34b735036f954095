// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed

import (
	"context"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
)

// Observe returns what the poller compares.
func Observe(ctx context.Context, a extension.Actuator) (string, error) {
	return a.(*actuator).observe(ctx)
}
