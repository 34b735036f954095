// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
)

// QueueFor translates the configuration of a queue. The configuration must have been defaulted.
func QueueFor(cfg config.QueueConfiguration) Queue {
	return Queue{
		Capacity:         *cfg.Capacity,
		Storage:          StorageType(cfg.Persistence.Type),
		Size:             ptr.Deref(cfg.Persistence.Size, resource.Quantity{}),
		StorageClassName: cfg.Persistence.StorageClassName,
	}
}
