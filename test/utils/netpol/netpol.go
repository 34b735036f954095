// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package netpol evaluates NetworkPolicies by the rules of Kubernetes, where nothing enforces them.
package netpol

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	// Anywhere is the peer of a flow that no policy limits.
	Anywhere = "anywhere"
	// AnyPort is the port of a flow to or from all ports.
	AnyPort = "any"
)

// Pod is a pod, or all pods of a workload.
type Pod struct {
	// Name is how the workload is called in flows, after its namespace.
	Name string
	// Namespace is its namespace.
	Namespace string
	// Labels are the labels of the pods.
	Labels map[string]string
}

// String returns namespace and name.
func (p Pod) String() string { return p.Namespace + "/" + p.Name }

// Flow is what is allowed in one direction.
type Flow struct {
	// Peer is the workload at the other end, [Anywhere], or the addresses that a policy names.
	Peer string
	// Port is the protocol and port of the pod that is connected to, as TCP/443, or [AnyPort].
	Port string
}

// Addresses returns the peer for the addresses that a policy names.
func Addresses(policyName string) string { return "addresses of " + policyName }

// Cluster has what decides about flows.
type Cluster struct {
	// Pods are all workloads.
	Pods []Pod
	// Namespaces are the labels of all namespaces.
	Namespaces map[string]map[string]string
	// Policies are all NetworkPolicies.
	Policies []networkingv1.NetworkPolicy
}

// Egress returns what may be connected to from a pod, as far as the policies of its side decide.
func (c *Cluster) Egress(pod Pod) ([]Flow, error) {
	return c.flows(pod, networkingv1.PolicyTypeEgress, func(spec networkingv1.NetworkPolicySpec) []rule {
		var rules []rule
		for _, r := range spec.Egress {
			rules = append(rules, rule{peers: r.To, ports: r.Ports})
		}
		return rules
	})
}

// Ingress returns what may connect to a pod, as far as the policies of its side decide.
func (c *Cluster) Ingress(pod Pod) ([]Flow, error) {
	return c.flows(pod, networkingv1.PolicyTypeIngress, func(spec networkingv1.NetworkPolicySpec) []rule {
		var rules []rule
		for _, r := range spec.Ingress {
			rules = append(rules, rule{peers: r.From, ports: r.Ports})
		}
		return rules
	})
}

type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func (c *Cluster) flows(pod Pod, direction networkingv1.PolicyType, rulesOf func(networkingv1.NetworkPolicySpec) []rule) ([]Flow, error) {
	var (
		flows    []Flow
		isolated bool
	)
	for _, policy := range c.Policies {
		selected, err := matches(&policy.Spec.PodSelector, pod.Labels)
		if err != nil {
			return nil, fmt.Errorf("NetworkPolicy %s/%s: %w", policy.Namespace, policy.Name, err)
		}
		if policy.Namespace != pod.Namespace || !selected || !slices.Contains(policy.Spec.PolicyTypes, direction) {
			continue
		}
		isolated = true
		for _, r := range rulesOf(policy.Spec) {
			peers, err := c.peers(policy, r.peers)
			if err != nil {
				return nil, fmt.Errorf("NetworkPolicy %s/%s: %w", policy.Namespace, policy.Name, err)
			}
			for _, peer := range peers {
				for _, port := range ports(r.ports) {
					if flow := (Flow{Peer: peer, Port: port}); !slices.Contains(flows, flow) {
						flows = append(flows, flow)
					}
				}
			}
		}
	}
	if !isolated {
		return []Flow{{Peer: Anywhere, Port: AnyPort}}, nil
	}
	return flows, nil
}

func (c *Cluster) peers(policy networkingv1.NetworkPolicy, peers []networkingv1.NetworkPolicyPeer) ([]string, error) {
	if len(peers) == 0 {
		return []string{Anywhere}, nil
	}
	var names []string
	for _, peer := range peers {
		if peer.IPBlock != nil {
			names = append(names, Addresses(policy.Name))
			continue
		}
		for _, pod := range c.Pods {
			inNamespace := pod.Namespace == policy.Namespace
			if peer.NamespaceSelector != nil {
				var err error
				if inNamespace, err = matches(peer.NamespaceSelector, c.Namespaces[pod.Namespace]); err != nil {
					return nil, err
				}
			}
			// Without a selector of pods all are meant.
			selector := peer.PodSelector
			if selector == nil {
				selector = &metav1.LabelSelector{}
			}
			selected, err := matches(selector, pod.Labels)
			if err != nil {
				return nil, err
			}
			if inNamespace && selected {
				names = append(names, pod.String())
			}
		}
	}
	return names, nil
}

func ports(policyPorts []networkingv1.NetworkPolicyPort) []string {
	if len(policyPorts) == 0 {
		return []string{AnyPort}
	}
	var texts []string
	for _, port := range policyPorts {
		protocol, number := corev1.ProtocolTCP, intstr.FromString("*")
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		if port.Port != nil {
			number = *port.Port
		}
		text := fmt.Sprintf("%s/%s", protocol, number.String())
		if port.EndPort != nil {
			text += fmt.Sprintf("-%d", *port.EndPort)
		}
		texts = append(texts, text)
	}
	return texts
}

func matches(selector *metav1.LabelSelector, of map[string]string) (bool, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, err
	}
	return parsed.Matches(labels.Set(of)), nil
}
