// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

// projectName is the project of the shoots that are metered.
const projectName = "local"

// Shoot is a shoot that a seed meters and that the garden's exporter knows.
type Shoot struct {
	// Project is the name of the project.
	Project string
	// Name is the name of the shoot.
	Name string
	// Namespace is the namespace of the control plane in the seed.
	Namespace string
	// UID joins the seed's metering to the garden's information about the shoot.
	UID string
}

// Shoots returns the shoots that the given seed meters. No two seeds have one in common.
func Shoots(seed string) []Shoot {
	var shoots []Shoot
	for _, number := range []string{"one", "two"} {
		name := number + "-" + seed
		shoots = append(shoots, Shoot{Project: projectName, Name: name, Namespace: "shoot--" + projectName + "--" + name, UID: seed + "-" + number})
	}
	return shoots
}

// meteringFamilies are all that Gardener's metering in the garden reads, for the seed's own garden namespace and for its
// shoots. Only the latter have a UID: this is how the rules tell them apart. Nodes are metered by their type.
func meteringFamilies(seed string) []Family {
	var families []Family
	for i, name := range []string{
		"cpu_requests", "cpu_usage", "memory_requests", "memory_usage", "network_receive", "network_transmit",
		"persistent_volume_claims", "persistent_volume_usage", "working_set_memory",
	} {
		value := float64(10 * (i + 1))
		all := []Series{series(value, labelNamespace, "garden")}
		for _, shoot := range Shoots(seed) {
			value++
			all = append(all, series(value, labelNamespace, shoot.Namespace, labelShootUID, shoot.UID))
		}
		families = append(families, gauges("metering:"+name+":sum_by_namespace", all...))
	}
	for i, name := range []string{"node_capacity", "node_cp_requests", "node_cp_usage"} {
		value := float64(1000 * (3 - i))
		families = append(families, gauges("metering:"+name+":sum_by_instance_type",
			series(value, labelInstanceType, "m5.large", labelResource, "cpu"),
			series(value+1, labelInstanceType, "m5.large", labelResource, "memory"),
		))
	}
	return families
}
