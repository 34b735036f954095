// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

import "slices"

const (
	labelCondition = "condition"
	labelName      = "name"
	labelOperation = "operation"
	labelProject   = "project"

	// provider is the infrastructure and region of everything in the landscape.
	provider = "local"
	// gardenName is the name of the Garden.
	gardenName = "local"
	// shootsPerSeed is a capacity that is far from being used up.
	shootsPerSeed = 250

	operationReconcile = "Reconcile"
)

// GardenFamilies returns what is known about the garden, the seeds and their shoots, as far as Gardener's rules for the garden
// use it: the families of gardener-metrics-exporter, and those of kube-state-metrics about the Garden. All are healthy. None
// has job or instance, those are the target's.
func GardenFamilies(seeds []string) []Family {
	shootInfo, shootCondition := gauges("garden_shoot_info"), gauges("garden_shoot_condition")
	seedInfo, seedCondition, seedOperation := gauges("garden_seed_info"), gauges("garden_seed_condition"), gauges("garden_seed_operation_states")
	capacity, usage := gauges("garden_seed_capacity"), gauges("garden_seed_usage")

	for _, seed := range seeds {
		shoots := Shoots(seed)
		for _, shoot := range shoots {
			shootInfo.Series = append(shootInfo.Series, gardenShootInfo(seed, shoot))
			shootCondition.Series = append(shootCondition.Series, gardenShootConditions(seed, shoot)...)
		}

		labels := []string{labelName, seed, "iaas", provider, "region", provider, "visible", "true", "protected", "false"}
		withLabels := func(value float64, namesAndValues ...string) Series {
			return withTargetLabels(value, slices.Concat(labels, namesAndValues)...)
		}
		seedInfo.Series = append(seedInfo.Series, withLabels(0, "version", "v1.150.0"))
		capacity.Series = append(capacity.Series, withLabels(shootsPerSeed, labelResource, "shoots"))
		usage.Series = append(usage.Series, withLabels(float64(len(shoots)), labelResource, "shoot"))
		for _, condition := range []string{"BackupBucketsReady", "ExtensionsReady", "GardenletReady", "SeedSystemComponentsHealthy"} {
			seedCondition.Series = append(seedCondition.Series, withTargetLabels(1, labelName, seed, labelCondition, condition))
		}
		seedOperation.Series = append(seedOperation.Series,
			withTargetLabels(1, labelName, seed, labelOperation, operationReconcile),
			withTargetLabels(0, labelName, seed, labelOperation, "Delete"),
		)
	}

	return []Family{
		shootInfo, shootCondition, seedInfo, seedCondition, seedOperation, capacity, usage,
		gauges("garden_projects_status", withTargetLabels(0, labelName, "garden", "phase", "Ready"), withTargetLabels(0, labelName, projectName, "phase", "Ready")),
		gauges("garden_garden_condition", gardenConditions()...),
		gauges("garden_garden_last_operation", gardenStates([]string{"type", operationReconcile}, "state", "Succeeded", "Processing", "Error", "Failed", "Pending", "Aborted")...),
	}
}

func gardenShootInfo(seed string, shoot Shoot) Series {
	return withTargetLabels(0,
		labelName, shoot.Name,
		labelProject, shoot.Project,
		labelShootUID, shoot.UID,
		"technical_id", shoot.Namespace,
		labelSeed, seed,
		"seed_iaas", provider,
		"seed_region", provider,
		"iaas", provider,
		"region", provider,
		"version", "1.34.1",
		"gardener_version", "v1.150.0",
		"failure_tolerance", "node",
		"cost_object", "0101010xxx",
		"cost_object_type", "CO",
		"cost_object_owner", "owner@example.com",
		"is_seed", "false",
		"is_workerless", "false",
		"is_hibernated", "false",
		"status", "healthy",
	)
}

func gardenShootConditions(seed string, shoot Shoot) []Series {
	var all []Series
	for _, condition := range []string{"APIServerAvailable", "ControlPlaneHealthy", "EveryNodeReady", "ObservabilityComponentsHealthy", "SystemComponentsHealthy"} {
		all = append(all, withTargetLabels(1,
			labelName, shoot.Name,
			labelProject, shoot.Project,
			"uid", shoot.UID,
			"technical_id", shoot.Namespace,
			labelSeed, seed,
			"seed_iaas", provider,
			"seed_region", provider,
			"iaas", provider,
			labelCondition, condition,
			labelOperation, operationReconcile,
			"purpose", "production",
			"is_seed", "false",
			"has_user_errors", "false",
			"is_compliant", "True",
		))
	}
	return all
}

func gardenConditions() []Series {
	var all []Series
	for _, condition := range []string{"ObservabilityComponentsHealthy", "RuntimeComponentsHealthy", "VirtualComponentsHealthy", "VirtualGardenAPIServerAvailable"} {
		all = append(all, gardenStates([]string{labelCondition, condition}, "status", "True", "False", "Progressing", "Unknown")...)
	}
	return all
}

// gardenStates are series for all states of the Garden, of which it is in the given one.
func gardenStates(labels []string, name, current string, others ...string) []Series {
	var all []Series
	for _, state := range append([]string{current}, others...) {
		value := 0.0
		if state == current {
			value = 1
		}
		all = append(all, withTargetLabels(value, slices.Concat(labels, []string{
			labelName, gardenName, name, state,
			"customresource_group", "operator.gardener.cloud", "customresource_version", "v1alpha1", "customresource_kind", "Garden",
		})...))
	}
	return all
}
