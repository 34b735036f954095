// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

import "slices"

// IncidentShootControlPlane is the name of an incident in the control plane of a shoot that is a seed itself. All alerts of
// Gardener's garden that depend on federated series of a shoot's control plane fire because of it.
const IncidentShootControlPlane = "shoot-control-plane"

// incidentFamilies returns the series that a seed's incidents add.
func incidentFamilies(seed string) map[string][]Family {
	families := map[string][]Family{IncidentShootControlPlane: shootControlPlaneIncident(seed)}
	for _, incident := range families {
		for i := range incident {
			incident[i].Selected = true
		}
	}
	return families
}

// shootControlPlaneIncident has the labels that Gardener gives them: the alerts of the shoot's Prometheus have its external
// labels, those of the aggregate Prometheus do not.
func shootControlPlaneIncident(seed string) []Family {
	namespace := "shoot--garden--" + seed
	external := []string{
		"cluster", namespace, labelProject, "garden", labelName, seed, "shoot_name", seed, "seed_api", "api." + provider + ".example.com",
		"seed_provider", provider, "seed_region", provider, "shoot_infra", provider, "ignoreAlerts", "false",
	}
	alert := func(name, severity, kind, visibility string, namesAndValues ...string) Series {
		return series(1, slices.Concat([]string{
			labelAlertName, name, labelAlertState, "firing", "severity", severity, "type", kind, "visibility", visibility,
		}, namesAndValues)...)
	}
	etcd := slices.Concat([]string{labelNamespace, namespace, labelPod, "etcd-main-0", labelJob, "kube-etcd3-main", labelInstance, "10.1.0.5:2379", "role", "main", "service", "etcd"}, external)

	return []Family{
		gauges(nameAlerts,
			alert("PodStuckInPending", "warning", "seed", "operator",
				labelNamespace, namespace, labelPod, "kube-apiserver-7c9d8b6f5d-0", "phase", "Pending", labelJob, "kube-state-metrics", labelInstance, "10.1.0.6:8080"),
			alert("KubeEtcd3MainDbSizeLimitApproaching", "warning", "seed", "all", etcd...),
			alert("KubeEtcd3MainDbSizeLimitCrossed", "critical", "seed", "all", etcd...),
			alert("VerticalPodAutoscalerCappedRecommendation", "warning", "shoot", "operator",
				slices.Concat([]string{labelNamespace, "kube-system", "verticalpodautoscaler", "coredns", labelContainer, "coredns", "unit", "core"}, external)...),
			alert("KubeApiserverDown", "blocker", "seed", "operator", slices.Concat([]string{"service", "kube-apiserver"}, external)...),
		),
		gauges(nameRestarts, series(8, labelNamespace, namespace)),
		gauges(nameInconsistentSize, series(0.4, labelNamespace, namespace, "persistentvolumeclaim", "main-etcd-etcd-main-0")),
		gauges("shoot:node_filesystem_files_free:percent", series(3, slices.Concat([]string{"node", "node-0", "mountpoint", "/"}, external)...)),
	}
}
