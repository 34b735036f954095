// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// expand replaces $(NAME) by the value of the variable. As kubelet does it keeps references to unknown variables and turns
// $$ into $, so that $$(NAME) yields a literal $(NAME).
func expand(input string, variables map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(input); i++ {
		if input[i] != '$' || i+1 == len(input) {
			out.WriteByte(input[i])
			continue
		}
		switch input[i+1] {
		case '$':
			out.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(input[i+2:], ')')
			if end < 0 {
				out.WriteString("$(")
				i++
				continue
			}
			name := input[i+2 : i+2+end]
			if value, ok := variables[name]; ok {
				out.WriteString(value)
			} else {
				out.WriteString("$(" + name + ")")
			}
			i += end + 2
		default:
			out.WriteByte('$')
		}
	}
	return out.String()
}

// buildArgs returns the command line of a container.
func buildArgs(image *Image, container *corev1.Container, variables map[string]string) []string {
	command := container.Command
	args := container.Args
	if len(command) == 0 {
		command = image.Entrypoint
		if len(command) == 0 {
			command = []string{image.Path}
		}
		command = slices.Clone(command)
	}
	var line []string
	for _, part := range slices.Concat(command, args) {
		line = append(line, expand(part, variables))
	}
	for _, flag := range image.Flags {
		name, _, _ := strings.Cut(flag, "=")
		if !slices.ContainsFunc(line, func(part string) bool { return part == name || strings.HasPrefix(part, name+"=") }) {
			line = append(line, flag)
		}
	}
	return line
}

// environment builds the environment of containers of a pod.
type environment struct {
	reader client.Reader
	pod    *corev1.Pod
	hostIP string
	podIP  string
	// capacity is used for resources without limit.
	capacity corev1.ResourceList
}

// build returns the variables of a container. base holds the variables that every container has.
func (e *environment) build(ctx context.Context, container *corev1.Container, base map[string]string) (map[string]string, error) {
	variables := map[string]string{}
	for name, value := range base {
		variables[name] = value
	}
	for _, source := range container.EnvFrom {
		if err := e.addSource(ctx, source, variables); err != nil {
			return nil, err
		}
	}
	for _, variable := range container.Env {
		if variable.ValueFrom == nil {
			variables[variable.Name] = expand(variable.Value, variables)
			continue
		}
		value, found, err := e.resolve(ctx, container, variable.ValueFrom)
		if err != nil {
			return nil, fmt.Errorf("failed to determine environment variable %s: %w", variable.Name, err)
		}
		if found {
			variables[variable.Name] = value
		}
	}
	return variables, nil
}

func (e *environment) addSource(ctx context.Context, source corev1.EnvFromSource, variables map[string]string) error {
	var (
		data     map[string]string
		optional *bool
		err      error
	)
	switch {
	case source.ConfigMapRef != nil:
		optional = source.ConfigMapRef.Optional
		data, err = e.configMap(ctx, source.ConfigMapRef.Name)
	case source.SecretRef != nil:
		optional = source.SecretRef.Optional
		data, err = e.secret(ctx, source.SecretRef.Name)
	}
	if err != nil && !(apierrors.IsNotFound(err) && isTrue(optional)) {
		return err
	}
	for key, value := range data {
		variables[source.Prefix+key] = value
	}
	return nil
}

func (e *environment) resolve(ctx context.Context, container *corev1.Container, source *corev1.EnvVarSource) (string, bool, error) {
	switch {
	case source.FieldRef != nil:
		value, err := fieldValue(e.pod, source.FieldRef.FieldPath, e.podIP, e.hostIP)
		return value, err == nil, err
	case source.ResourceFieldRef != nil:
		value, err := e.resourceValue(container, source.ResourceFieldRef)
		return value, err == nil, err
	case source.ConfigMapKeyRef != nil:
		ref := source.ConfigMapKeyRef
		data, err := e.configMap(ctx, ref.Name)
		return lookUp(data, err, "ConfigMap", ref.Name, ref.Key, ref.Optional)
	case source.SecretKeyRef != nil:
		ref := source.SecretKeyRef
		data, err := e.secret(ctx, ref.Name)
		return lookUp(data, err, "Secret", ref.Name, ref.Key, ref.Optional)
	}
	return "", false, fmt.Errorf("its source is not supported by the landscape's node")
}

func lookUp(data map[string]string, err error, kind, name, key string, optional *bool) (string, bool, error) {
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	value, ok := data[key]
	if !ok && !isTrue(optional) {
		return "", false, fmt.Errorf("%s %s has no key %q", kind, name, key)
	}
	return value, ok, nil
}

func (e *environment) configMap(ctx context.Context, name string) (map[string]string, error) {
	object := &corev1.ConfigMap{}
	err := e.reader.Get(ctx, types.NamespacedName{Namespace: e.pod.Namespace, Name: name}, object)
	return object.Data, err
}

func (e *environment) secret(ctx context.Context, name string) (map[string]string, error) {
	object := &corev1.Secret{}
	err := e.reader.Get(ctx, types.NamespacedName{Namespace: e.pod.Namespace, Name: name}, object)
	data := map[string]string{}
	for key, value := range object.Data {
		data[key] = string(value)
	}
	return data, err
}

func (e *environment) resourceValue(container *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	if ref.ContainerName != "" {
		container = nil
		for _, candidate := range slices.Concat(e.pod.Spec.InitContainers, e.pod.Spec.Containers) {
			if candidate.Name == ref.ContainerName {
				container = &candidate
			}
		}
	}
	if container == nil {
		return "", fmt.Errorf("the pod has no container %q", ref.ContainerName)
	}
	kind, name, _ := strings.Cut(ref.Resource, ".")
	var list corev1.ResourceList
	switch kind {
	case "limits":
		list = container.Resources.Limits
	case "requests":
		list = container.Resources.Requests
	default:
		return "", fmt.Errorf("resource %q is not supported by the landscape's node", ref.Resource)
	}
	quantity, ok := list[corev1.ResourceName(name)]
	if !ok && kind == "limits" {
		quantity = e.capacity[corev1.ResourceName(name)]
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if corev1.ResourceName(name) == corev1.ResourceCPU {
		return strconv.FormatInt(divideCeil(quantity.MilliValue(), divisor.MilliValue()), 10), nil
	}
	return strconv.FormatInt(divideCeil(quantity.Value(), divisor.Value()), 10), nil
}

func divideCeil(value, divisor int64) int64 {
	return (value + divisor - 1) / divisor
}

// fieldValue returns the value of a pod's field for an environment variable or a downwardAPI file.
func fieldValue(pod *corev1.Pod, path, podIP, hostIP string) (string, error) {
	if name, ok := subscript(path, "metadata.labels"); ok {
		return pod.Labels[name], nil
	}
	if name, ok := subscript(path, "metadata.annotations"); ok {
		return pod.Annotations[name], nil
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return formatMap(pod.Labels), nil
	case "metadata.annotations":
		return formatMap(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return podIP, nil
	case "status.hostIP", "status.hostIPs":
		return hostIP, nil
	}
	return "", fmt.Errorf("field %q is not supported by the landscape's node", path)
}

func subscript(path, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(path, prefix+"['")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "']")
}

// formatMap formats labels and annotations as kubelet does for downwardAPI volumes.
func formatMap(values map[string]string) string {
	lines := make([]string, 0, len(values))
	for key, value := range values {
		lines = append(lines, fmt.Sprintf("%s=%q", key, value))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func isTrue(value *bool) bool { return value != nil && *value }
