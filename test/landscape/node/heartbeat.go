// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	heartbeatPeriod = 10 * time.Second
	leaseDuration   = 40
)

func (n *Node) ensureNode(ctx context.Context) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: nodeName,
		Labels: map[string]string{
			corev1.LabelHostname: nodeName, corev1.LabelOSStable: runtime.GOOS, corev1.LabelArchStable: runtime.GOARCH,
			corev1.LabelTopologyZone: "local", corev1.LabelTopologyRegion: "local",
		},
	}}
	if err := n.client.Create(ctx, node); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("failed to create node %s: %w", nodeName, err)
	}
	// The API server taints new nodes until the controller that is responsible for nodes has seen them.
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"taints":null,"unschedulable":null}}`))
	if err := n.client.Patch(ctx, node.DeepCopy(), patch); err != nil {
		return fmt.Errorf("failed to remove the taints of node %s: %w", nodeName, err)
	}
	return n.report(ctx)
}

// report writes the node's status.
func (n *Node) report(ctx context.Context) error {
	now := metav1.Now().Rfc3339Copy()
	status := corev1.NodeStatus{
		Capacity:    nodeCapacity(),
		Allocatable: nodeCapacity(),
		Addresses:   []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.hostIP()}, {Type: corev1.NodeHostName, Address: nodeName}},
		NodeInfo: corev1.NodeSystemInfo{
			Architecture: runtime.GOARCH, OperatingSystem: runtime.GOOS, KubeletVersion: "v1.36.3", ContainerRuntimeVersion: "landscape://1",
		},
	}
	for conditionType, value := range map[corev1.NodeConditionType]corev1.ConditionStatus{
		corev1.NodeReady:          corev1.ConditionTrue,
		corev1.NodeMemoryPressure: corev1.ConditionFalse,
		corev1.NodeDiskPressure:   corev1.ConditionFalse,
		corev1.NodePIDPressure:    corev1.ConditionFalse,
	} {
		status.Conditions = append(status.Conditions, corev1.NodeCondition{
			Type: conditionType, Status: value, Reason: "Landscape", Message: "the landscape is running",
			LastHeartbeatTime: now, LastTransitionTime: now,
		})
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}
	base := client.StrategicMergeFrom(node.DeepCopy())
	node.Status = status
	if err := n.client.Status().Patch(ctx, node, base); err != nil {
		return fmt.Errorf("failed to update the status of node %s: %w", nodeName, err)
	}
	return nil
}

// heartbeat renews the node's Lease, as the controller that is responsible for nodes expects, and contradicts it if it has
// lost the node meanwhile.
func (n *Node) heartbeat(ctx context.Context) {
	for {
		if err := errors.Join(n.renewLease(ctx), n.ensureReady(ctx)); err != nil && ctx.Err() == nil {
			n.log.Error(err, "Failed to say that the node is alive")
		}
		if !sleep(ctx, heartbeatPeriod) {
			return
		}
	}
}

func (n *Node) ensureReady(ctx context.Context) error {
	node := &corev1.Node{}
	if err := n.client.Get(ctx, types.NamespacedName{Name: nodeName}, node); err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return n.report(ctx)
}

func (n *Node) renewLease(ctx context.Context) error {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: nodeName}}
	now := metav1.NewMicroTime(time.Now())
	base := client.MergeFrom(lease.DeepCopy())
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: new(nodeName), LeaseDurationSeconds: new(int32(leaseDuration)), RenewTime: &now}
	err := n.client.Patch(ctx, lease.DeepCopy(), base)
	if apierrors.IsNotFound(err) {
		return n.client.Create(ctx, lease)
	}
	return err
}

func nodeCapacity() corev1.ResourceList {
	info := unix.Sysinfo_t{}
	memory := int64(8 << 30)
	if err := unix.Sysinfo(&info); err == nil {
		memory = int64(info.Totalram) * int64(info.Unit) // #nosec G115 -- Far below the limit.
	}
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(memory, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(250, resource.DecimalSI),
	}
}
